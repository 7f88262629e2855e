"""The CRDs of the operators, read from the folders of their pinned Go modules; none is copied into this project.

`go mod download` verifies a module against go.sum and says where it lies. The answer is kept in the cache under the
digest of go.sum, so that a warm start does not call Go.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from infra.errors import PlatformError
from infra.plan import Manifest
from infra.versions import SIMULATOR_MODULES
from simulator.folders import MODULES, cache_folder, disk_faults, write_whole
from simulator.toolchain import run_go


@dataclass(frozen=True, slots=True)
class CrdSource:
    """CRDs of one Go module.

    Attributes:
        folder: folder under `simulator/modules` whose go.mod pins it.
        module: Go module, a key of `infra.versions.SIMULATOR_MODULES`.
        pattern: the files inside the module that hold CRDs.
        group: the API group that a plan must use before they are installed; empty: always.
    """

    folder: str
    module: str
    pattern: str
    group: str = ""


_CRDS = frozenset({"CustomResourceDefinition"})

_KSERVE = "github.com/kserve/kserve"
KSERVE = CrdSource("kserve", _KSERVE, "config/crd/full/**/serving.kserve.io_[!l]*.yaml", "serving.kserve.io")
KSERVE_LOCAL_MODELS = CrdSource(
    "kserve", _KSERVE, "config/crd/full/localmodel/serving.kserve.io_*.yaml", "serving.kserve.io"
)
# Upstream's `minimal` set: the schema of v1alpha2, which is used here, and none of v1alpha1. An API server spends 7
# seconds of CPU on it, and 14 on the full one.
KSERVE_LLM = CrdSource("kserve", _KSERVE, "config/crd/minimal/llmisvc/serving.kserve.io_*.yaml", "serving.kserve.io")

# One line an operator.
SOURCES = (
    CrdSource("karpenter-aws", "github.com/aws/karpenter-provider-aws", "pkg/apis/crds/*.yaml"),
    CrdSource(
        "sriov-network-operator",
        "github.com/k8snetworkplumbingwg/sriov-network-operator",
        "config/crd/bases/*.yaml",
        "sriovnetwork.openshift.io",
    ),
    CrdSource(
        "external-secrets",
        "github.com/external-secrets/external-secrets",
        "config/crds/bases/external-secrets.io_*.yaml",
        "external-secrets.io",
    ),
    CrdSource("gateway-api", "sigs.k8s.io/gateway-api", "config/crd/standard/*.yaml", "gateway.networking.k8s.io"),
    CrdSource(
        "inference-extension",
        "sigs.k8s.io/gateway-api-inference-extension",
        "config/crd/bases/inference.networking.k8s.io_*.yaml",
        "inference.networking.k8s.io",
    ),
    CrdSource(
        "envoy-gateway",
        "github.com/envoyproxy/gateway",
        "charts/gateway-helm/charts/crds/crds/generated/*.yaml",
        "gateway.envoyproxy.io",
    ),
    # Its routes and backends; the other kinds, 1.6 MB of them, are not used.
    CrdSource(
        "ai-gateway",
        "github.com/envoyproxy/ai-gateway",
        "manifests/charts/ai-gateway-crds-helm/templates/aigateway.envoyproxy.io_ai*.yaml",
        "aigateway.envoyproxy.io",
    ),
    CrdSource("lws", "sigs.k8s.io/lws", "config/crd/bases/*.yaml", "leaderworkerset.x-k8s.io"),
    KSERVE,
    KSERVE_LOCAL_MODELS,
    KSERVE_LLM,
    CrdSource("knative-operator", "knative.dev/operator", "config/crd/bases/*serving*.yaml", "operator.knative.dev"),
    CrdSource(
        "cert-manager",
        "github.com/cert-manager/cert-manager",
        "deploy/crds/cert-manager.io_*.yaml",
        "cert-manager.io",
    ),
)
# API groups without a Go module that could be had, and so without CRDs here: objects of them are left out, and said so.
# Any other kind that the API server does not know stays an error. Tests hold these against ../shared/crds.
WITHOUT_DEFINITIONS = {"mellanox.com": "NVIDIA's network operator has no Go module that could be had"}
# What an environment with Karpenter's controller needs besides: the node class of its kwok provider.
KARPENTER_SOURCE = CrdSource("karpenter-kwok", "sigs.k8s.io/karpenter", "kwok/apis/crds/*.yaml")


def needed(sources: Iterable[CrdSource], manifests: Iterable[Manifest]) -> list[CrdSource]:
    """Those of `sources` that the manifests use: every CRD costs an environment some hundredths of a second."""
    groups = {manifest.api_version.partition("/")[0] for manifest in manifests}
    return [source for source in sources if not source.group or source.group in groups]


def custom_resource_definitions(sources: Iterable[CrdSource] = SOURCES) -> list[Manifest]:
    """Every CRD of `sources` as a manifest; its URN says the module it came from.

    Raises:
        PlatformError: when a module cannot be had or holds no CRD where it should.
    """
    return [manifest for source in sources for manifest in _read(source)]


def _read(source: CrdSource) -> list[Manifest]:
    version = SIMULATOR_MODULES[source.module]
    found = _parsed(source)
    if not found:
        raise PlatformError(
            f"{source.module} {version} holds no CRD in {source.pattern}",
            "look where that version keeps its CRDs and correct simulator/crds.py",
        )
    return [Manifest(body, f"go:{source.module}@{version}") for body in found]


def objects_in(source: CrdSource, kinds: frozenset[str]) -> list[dict[str, Any]]:
    """Objects of `kinds` in a module's files, for controllers that need more of it than its CRDs.

    Raises:
        PlatformError: when the module cannot be had.
    """
    return _parsed(source, kinds)


def _parsed(source: CrdSource, kinds: frozenset[str] = _CRDS) -> list[dict[str, Any]]:
    """The objects as JSON data, from the cache while module and go.sum are the same: YAML is slow to read."""
    kept = _cache_file(source, kinds)
    if kept.is_file():
        record = json.loads(kept.read_text(encoding="utf-8"))
        if Path(record["folder"]).is_dir():
            return list(record["crds"])
    with disk_faults(f"reading the CRDs of {source.module}"):
        folder = module_folder(source)
        documents = [
            document
            for path in sorted(folder.glob(source.pattern))
            for document in yaml.load_all(path.read_text(encoding="utf-8"), Loader=_loader())
            if document and document.get("kind") in kinds
        ]
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_whole(kept, json.dumps({"folder": str(folder), "crds": documents}))
    return documents


def module_folder(source: CrdSource) -> Path:
    """Where the source's module lies.

    Raises:
        PlatformError: when it cannot be had.
    """
    version = SIMULATOR_MODULES[source.module]
    answer = run_go(
        ["mod", "download", "-json", source.module],
        MODULES / source.folder,
        f"downloading {source.module} {version}",
    )
    folder = Path(json.loads(answer)["Dir"])
    if not folder.is_dir():
        raise PlatformError(
            f"Go says {source.module} lies where nothing lies", "run `go clean -modcache` and try again"
        )
    return folder


def _cache_file(source: CrdSource, kinds: frozenset[str]) -> Path:
    digest = hashlib.sha256((MODULES / source.folder / "go.sum").read_bytes())
    digest.update(f"{source.module} {source.pattern} {' '.join(sorted(kinds))}".encode())
    return cache_folder() / "crds" / f"{source.folder}-{digest.hexdigest()[:12]}.json"


def _loader() -> Any:  # PyYAML ships the C loader only where libyaml was found; both are SafeLoaders
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)
