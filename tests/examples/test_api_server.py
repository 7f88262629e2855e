"""Every object of an example passes a real API server with the operators' CRDs, and so do the pods it would make."""

import pytest

from infra.plan import Manifest, kubernetes_manifests
from infra.settings import load_stack_file
from simulator.apply import dry_run
from simulator.client import Client
from stacks.evaluation import evaluate
from tests.conftest import ROOT
from tests.embedded import Listener
from tests.storage.test_api_server import bodies_of_pods

# What must be among the objects, or the example no longer shows what it is for.
KINDS = {
    "engines": {"Deployment", "NetworkPolicy", "PodDisruptionBudget", "NodePool"},
    "canary": {"Deployment", "Job", "Role", "AIGatewayRoute", "BackendTrafficPolicy"},
    "multi-node": {"LeaderWorkerSet", "ResourceQuota", "LimitRange", "Job"},
}


def manifests(example: str) -> list[Manifest]:
    path = ROOT / "examples" / example / f"Pulumi.{example}.yaml"
    return kubernetes_manifests(evaluate(load_stack_file(path), "stand-in"))


@pytest.mark.parametrize("example", KINDS)
def test_every_object_is_accepted(example: str, control_plane: Client, listener: Listener) -> None:
    made = manifests(example)
    for item in made:
        if item.kind in ("Namespace", "ServiceAccount", "PriorityClass"):  # pods are refused without them
            control_plane.apply(item.body)

    refused = dry_run(control_plane, [*made, *bodies_of_pods(made)], listener)

    assert [str(item) for item in refused] == []
    assert {item.kind for item in made} >= KINDS[example]
    assert [note for note in listener.notes if "is left out" in note] == []


def test_a_mistake_in_an_example_is_noticed(control_plane: Client, listener: Listener) -> None:
    """Else the test above would pass on a server that takes everything."""
    made = manifests("canary")
    route = next(item for item in made if item.kind == "AIGatewayRoute")
    job = next(item for item in made if item.kind == "Job")
    broken = [
        Manifest({**route.body, "spec": {**route.body["spec"], "rules": "all of them"}}, route.urn),
        Manifest({**job.body, "spec": {**job.body["spec"], "backoffLimit": -1}}, job.urn),
    ]

    refused = dry_run(control_plane, broken, listener)

    assert len(refused) == 2
