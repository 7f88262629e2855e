"""Every custom resource of every environment against the schema of its real CRD: structure and patterns, no CEL.

CEL rules are judged by the API server itself, in tests/simulator.
"""

from functools import cache
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # its stubs are not pinned here
import pytest
import yaml

from infra.plan import Manifest, kubernetes_manifests
from infra.settings import StackFile
from tests.conftest import ENVIRONMENTS, ROOT, SHARED
from tests.evaluation.programs import plan_of

Json = dict[str, Any]

BUILT_IN = {"v1", "apps/v1", "batch/v1", "policy/v1", "autoscaling/v2"}


@cache
def schemas(folder: Path) -> dict[tuple[str, str], Json]:
    """Schema of each version of each CRD below `folder`, by apiVersion and kind."""
    found = {}
    for path in sorted(folder.glob("karpenter-aws/**/*.yaml")):
        for document in yaml.load_all(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader):
            if document and document.get("kind") == "CustomResourceDefinition":
                spec = document["spec"]
                for version in spec["versions"]:
                    key = (f"{spec['group']}/{version['name']}", spec["names"]["kind"])
                    found[key] = closed(version["schema"]["openAPIV3Schema"])
    return found


def closed(schema: Any) -> Any:
    """The schema with unknown fields refused; the API server would drop them in silence."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    # A mapping of names to schemas may itself have a property called `properties`; only a real schema has a type.
    if schema.get("type") == "object" and isinstance(schema.get("properties"), dict):
        inner.setdefault("additionalProperties", bool(schema.get("x-kubernetes-preserve-unknown-fields", False)))
    return inner


def problems(manifest: Manifest, folder: Path) -> list[str]:
    schema = schemas(folder)[manifest.api_version, manifest.kind]
    return [
        f"{error.json_path}: {error.message}"
        for error in jsonschema.Draft202012Validator(schema).iter_errors(manifest.body)
    ]


def custom_resources(env: str) -> list[Manifest]:
    return [
        item
        for item in kubernetes_manifests(plan_of(env, "stand-in"))
        if item.api_version.partition("/")[0].endswith(("karpenter.sh", "karpenter.k8s.aws"))
    ]


@pytest.fixture(scope="module")
def crds(shared: Path) -> Path:
    folder = shared / "crds"
    if not schemas(folder):
        pytest.skip("no CRDs in ../shared/crds/karpenter-aws")
    return folder


def test_custom_resources_are_as_their_crd_wants_them(stack: StackFile, crds: Path) -> None:
    found = custom_resources(stack.name)

    assert len(found) >= 2 * len(stack.settings.node_pools)
    assert {str(item): problems(item, crds) for item in found if problems(item, crds)} == {}


@pytest.mark.parametrize(
    ("kind", "change", "word"),
    [
        ("NodePool", {"limts": {}}, "limts"),
        ("NodePool", {"weight": 101}, "101"),
        ("NodePool", {"disruption": {"consolidateAfter": "soon"}}, "soon"),
        ("EC2NodeClass", {"metadataOptions": {"httpTokens": "maybe"}}, "maybe"),
        ("EC2NodeClass", {"amiSelectorTerms": []}, "non-empty"),
    ],
)
def test_the_check_finds_what_is_wrong(kind: str, change: Json, word: str, crds: Path) -> None:
    """Else all of the above would pass on a schema that allows everything."""
    good = next(item for item in custom_resources("local") if item.kind == kind)
    bad = Manifest({**good.body, "spec": {**good.body["spec"], **change}}, good.urn)

    assert any(word in text for text in problems(bad, crds))


@pytest.mark.skipif(not SHARED.is_dir(), reason="no ../shared beside the repository")
def test_the_crds_are_those_of_the_pinned_karpenter() -> None:
    from infra.versions import KARPENTER

    assert (SHARED / "crds" / "karpenter-aws" / f"v{KARPENTER}").is_dir()


def test_every_environment_was_looked_at() -> None:
    assert {path.name for path in ROOT.glob("Pulumi.*.yaml")} >= {f"Pulumi.{name}.yaml" for name in ENVIRONMENTS}
