"""What the user reads when the engine cannot go on, and whether it says what to do. On the small stack local."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from simulator.client import wait_for
from tests.engine.world import EngineStack, World

SECONDS = 30.0


@pytest.fixture(scope="module")
def local(world: World) -> EngineStack:
    """The stack, brought up."""
    world.cluster.install_definitions()
    world.add_nodes("local", spares=False)
    stack = world.stack("local")
    stack.up()
    return stack


@pytest.fixture
def away(world: World) -> Iterator[None]:
    """The kubeconfig names a port where nobody listens."""
    port = world.cluster.client.server.rpartition(":")[2]
    world.outside.kubeconfig.write_text(world.cluster.kubeconfig.replace(f":{port}", ":1"), encoding="utf-8")
    yield
    world.outside.kubeconfig.write_text(world.cluster.kubeconfig, encoding="utf-8")


def test_settings_with_mistakes_are_refused_as_validate_does_it(local: EngineStack, world: World) -> None:
    good = (world.project / "Pulumi.local.yaml").read_text(encoding="utf-8")
    world.settings("local", lambda platform: platform["nodePools"][0].update(instanceTypes=["g6.3xlarge"]))

    said = local.failure("up")

    (world.project / "Pulumi.local.yaml").write_text(good, encoding="utf-8")
    assert 'found     "g6.3xlarge"' in said
    assert 'did you mean "g6.xlarge"?' in said
    assert "Traceback" not in said
    assert local.preview().changed == {}


@pytest.mark.usefixtures("away")
def test_a_cluster_that_cannot_be_reached_is_said_on_an_update(local: EngineStack, world: World) -> None:
    world.settings("local", lambda platform: platform["models"][0].update(replicas=1))

    said = local.failure("up")

    world.settings("local", lambda platform: platform["models"][0].update(replicas=2))
    assert "configured Kubernetes cluster is unreachable" in said
    assert "https://127.0.0.1:1" in said


@pytest.mark.usefixtures("away")
def test_a_destroy_without_the_cluster_stops_before_it_touches_anything(local: EngineStack) -> None:
    before = local.resources()

    said = local.failure("destroy")

    assert "the cluster local does not answer" in said
    assert "run the destroy where its API endpoint can be reached" in said
    assert local.resources() == before


def test_a_provider_that_is_not_installed_is_named_with_its_version(local: EngineStack, world: World) -> None:
    plugin = next((world.folder / "home" / "plugins").glob("resource-kubernetes-*"))
    aside = plugin.rename(world.folder / plugin.name)

    said = local.failure("up")

    shutil.move(aside, plugin)
    version = plugin.name.rpartition("-")[2]
    assert f"no resource plugin 'pulumi-resource-kubernetes' found in the workspace at version {version}" in said
    assert local.up().changed == {}


@contextmanager
def somebody_at_work(world: World) -> Iterator[None]:
    """Another engine that holds the stack while it waits for a provider, and is then killed as by a power cut."""
    world.outside.hold.touch()
    other = world.pulumi("refresh", "--yes", "--skip-preview", "--stack", "local")
    assert wait_for(lambda: holds_a_lock(world), SECONDS)
    yield
    other.kill()
    other.wait(SECONDS)
    world.outside.hold.unlink()


def holds_a_lock(world: World) -> bool:
    return any((world.folder / "backend").glob(".pulumi/locks/**/*.json"))


def test_a_stack_that_is_already_updating_says_who_holds_it_and_how_to_free_it(
    local: EngineStack, world: World
) -> None:
    with somebody_at_work(world):
        while_it_runs = local.failure("up")
    after_it_died = local.failure("up")

    for said in (while_it_runs, after_it_died):
        assert "the stack is currently locked by 1 lock(s)" in said
        assert "Either wait for the other process(es) to end or delete the lock file with `pulumi cancel`" in said
    assert holds_a_lock(world)

    local.automation.cancel()
    assert local.up().changed == {}


def test_pods_that_do_not_become_ready_are_named_and_the_next_up_waits_again(local: EngineStack, world: World) -> None:
    world.settings("local", lambda platform: platform["models"][0].update(replicas=4))

    with world.impatient(3):
        said = local.failure("up")

    assert "qwen3-8b-deployment" in said
    assert "Minimum number of Pods to consider the application live was not attained: " in said
    world.add_nodes("local")
    assert local.up().changed == {"update": 1}
    assert local.up().changed == {}


def test_at_the_end_everything_goes(local: EngineStack, world: World) -> None:
    local.destroy()

    assert world.left("local") == []
