"""Dev in the real engine, with failures in the middle: what was done stays done, and the next run does the rest."""

from collections import Counter
from dataclasses import dataclass

import pytest

from tests.engine.order import Group, violations
from tests.engine.providers.aws_references import NODES
from tests.engine.world import SKIP_CHECKPOINTS, EngineStack, Outcome, World

NODE_GROUP, VPC = "gpu-dev-system-group", "network-vpc"


@pytest.fixture(scope="module")
def dev(world: World) -> EngineStack:
    """The stack, with nodes that have room for its pods; its state is written after every step, as a user's is."""
    del world.environment[SKIP_CHECKPOINTS]
    world.add_nodes("dev")
    return world.stack("dev")


@pytest.fixture(scope="module")
def failed(dev: EngineStack, world: World) -> str:
    """An update in which AWS does not make the system nodes."""
    world.outside.fail_once("create", NODE_GROUP, "CREATE_FAILED: Ec2LaunchTemplateInvalidConfiguration: no capacity")
    return dev.failure("up")


@pytest.fixture(scope="module")
def mended(dev: EngineStack, failed: str) -> Outcome:
    """The update after it."""
    del failed
    return dev.up()


def done(world: World, operation: str) -> Counter[str]:
    """How often each resource was created, updated or deleted."""
    entries = [entry for entry in world.outside.entries() if entry.get("operation") == operation]
    return Counter(entry["urn"] for entry in entries if entry["event"] == "done")


def test_a_failed_create_is_named_and_nothing_that_needs_it_is_begun(failed: str, world: World) -> None:
    assert f"aws:eks:NodeGroup ({NODE_GROUP})" in failed
    assert "CREATE_FAILED: Ec2LaunchTemplateInvalidConfiguration: no capacity" in failed
    begun = {(entry["type"], entry["name"]) for entry in world.outside.entries() if entry.get("operation") == "create"}
    assert NODES in {token for token, _ in begun}
    # CRDs need no node, and do not wait for one.
    assert not [
        name for token, name in begun if token.startswith("kubernetes:") and not name.endswith(("-crd", "-crds"))
    ]


def test_the_next_up_makes_the_rest_and_nothing_twice(mended: Outcome, dev: EngineStack, world: World) -> None:
    assert set(mended.changed) == {"create"}
    assert set(done(world, "create").values()) == {1}
    assert not done(world, "update") | done(world, "delete")
    assert {row.type_token for row in world.outside.rows()} <= set(dev.types())
    assert dev.up().changed == {}


@dataclass(frozen=True)
class Destroyed:
    """A destroy that fails at its end, and the one after it."""

    said: str
    left: Counter[str]
    outcome: Outcome


@pytest.fixture(scope="module")
def destroyed(dev: EngineStack, mended: Outcome, world: World) -> Destroyed:
    del mended
    world.outside.fail_once("delete", VPC, "RequestLimitExceeded: Request limit exceeded")
    return Destroyed(dev.failure("destroy"), dev.types(), dev.destroy())


def test_an_interrupted_destroy_goes_on_where_it_stopped(destroyed: Destroyed, dev: EngineStack, world: World) -> None:
    assert "RequestLimitExceeded" in destroyed.said
    assert f"aws:ec2:Vpc ({VPC})" in destroyed.said
    left = {token for token in destroyed.left if not token.startswith(("pulumi:", "gpu-platform:"))}
    # What goes beside the VPC or after it, and nothing that goes before.
    assert {"aws:ec2/vpc:Vpc"} <= left <= {"aws:ec2/vpc:Vpc", "aws:kms/key:Key", "aws:iam/role:Role"}

    assert dev.resources() == []
    assert world.left("dev") == []
    assert set(done(world, "delete").values()) == {1}
    workloads, pools, network = Group("*:Deployment"), Group("*:NodePool"), Group("aws:ec2/vpc:Vpc")
    assert violations(world.outside.entries(), "delete", workloads, pools, Group(NODES), network) == []
