"""Every new object passes the embedded API server, with the admission of restricted namespaces."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from infra.plan import Manifest, kubernetes_manifests
from simulator.apply import dry_run
from simulator.client import Client
from tests.embedded import Listener
from tests.evaluation.programs import run
from tests.storage.examples import VARIANTS, plan


def bodies_of_pods(manifests: list[Manifest]) -> Iterator[Manifest]:
    """The pods that controllers would make: admission judges pods, not their templates."""
    for item in manifests:
        if item.kind in ("Deployment", "Job"):
            pod = item.body["spec"]["template"]
            metadata = {**pod.get("metadata", {}), "name": item.name, "namespace": item.namespace}
            body = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod["spec"]}
            yield Manifest(body, f"pod of {item}")


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_object_of_a_store_is_accepted(variant: str, control_plane: Client, listener: Listener) -> None:
    manifests = kubernetes_manifests(plan(*VARIANTS[variant]))
    needed = [item for item in manifests if item.kind in ("Namespace", "ServiceAccount", "PriorityClass")]
    for item in needed:  # pods are refused without their service account, and without the class they name
        control_plane.apply(item.body)

    refused = dry_run(control_plane, [*manifests, *bodies_of_pods(manifests)], listener)

    assert [str(item) for item in refused] == []
    kinds = {item.kind for item in manifests}
    assert variant not in ("efs", "storage-class") or {"PersistentVolumeClaim", "Job", "ConfigMap"} <= kinds


def test_kserves_objects_are_accepted_by_its_own_crds(control_plane: Client, listener: Listener, shared: Path) -> None:
    from components.storage.local_model_cache import LocalModelCache

    model = {"source_uri": "hf://Qwen/Qwen3-8B:abc", "size_gib": 15.3}
    args = {"node_pools": ["gpu"], "limit_gib": 500, "models": {"qwen3-8b": model}}
    made = run(lambda: LocalModelCache("local-nvme", args), "stand-in")  # type: ignore[arg-type]
    crds = [
        Manifest(yaml.safe_load(path.read_text(encoding="utf-8")), path.name)
        for name in ("localmodelcaches", "localmodelnodegroups")
        for path in shared.glob(f"crds/kserve/*/serving.kserve.io_{name}.yaml")
    ]

    assert len(crds) == 2
    assert [str(item) for item in dry_run(control_plane, [*crds, *kubernetes_manifests(made)], listener)] == []
