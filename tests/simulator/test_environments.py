"""Every Kubernetes object of every committed environment, before the real API server with the real CRDs."""

from pathlib import Path

import pytest

from infra.plan import Manifest, kubernetes_manifests
from infra.progress import SilentProgress
from infra.settings import load_stack_file
from simulator import apply
from simulator.client import Client
from simulator.nodes import nodes_for
from simulator.releases import SUBSTITUTES, substitutes
from stacks.evaluation import evaluate

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = ("local", "dev", "staging", "prod")


def manifests_of(environment: str) -> list[Manifest]:
    return kubernetes_manifests(evaluate(load_stack_file(ROOT / f"Pulumi.{environment}.yaml"), "stand-in"))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_api_server_accepts_every_object(environment: str, control_plane: Client) -> None:
    manifests = manifests_of(environment)

    assert {"NodePool", "EC2NodeClass", "Deployment", "Service"} <= {manifest.kind for manifest in manifests}
    rejections = apply.dry_run(control_plane, manifests, SilentProgress())
    assert not rejections, "\n".join(f"{item.manifest}: {item.message}" for item in rejections)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_pod_finds_a_node(environment: str) -> None:
    nodes = nodes_for(manifests_of(environment))

    assert nodes
    assert len({node.name for node in nodes}) == len(nodes)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_chart_has_a_substitute(environment: str) -> None:
    plan = evaluate(load_stack_file(ROOT / f"Pulumi.{environment}.yaml"), "stand-in")

    found = [chart for chart, _ in substitutes(plan)]
    notes = {dict(substitutes(plan, karpenter=choice)).get("karpenter") for choice in (False, True)}
    assert len(notes) == (1 if environment == "local" else 2), "what is said of Karpenter follows the choice"
    assert set(found) <= set(SUBSTITUTES)
    assert bool(found) == (environment != "local")
