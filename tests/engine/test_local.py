"""The embedded environment in the real engine, from the first preview to the destroy."""

import base64

import pytest
from pulumi.automation import ConfigValue

from simulator.client import Client
from stacks.contract import CONTRACT_VERSION
from tests.engine.order import Group, violations
from tests.engine.world import EngineStack, Outcome, World

DEPLOYMENT = "/apis/apps/v1/namespaces/models/deployments/qwen3-8b"
TOKEN = "hf_never-to-be-seen"
SERVICE = "/api/v1/namespaces/models/services/qwen3-14b"


@pytest.fixture(scope="module")
def local(world: World) -> EngineStack:
    """The stack, on a cluster as `make up` leaves it: with CRDs and nodes."""
    world.cluster.install_definitions()
    world.add_nodes("local")
    return world.stack("local")


@pytest.fixture(scope="module")
def previewed(local: EngineStack) -> Outcome:
    return local.preview()


@pytest.fixture(scope="module")
def created(local: EngineStack, previewed: Outcome) -> Outcome:
    del previewed
    return local.up()


@pytest.fixture(scope="module")
def destroyed(local: EngineStack, created: Outcome) -> Outcome:
    del created
    return local.destroy()


@pytest.fixture
def client(world: World) -> Client:
    return world.cluster.client


def test_an_update_does_what_its_preview_said(previewed: Outcome, created: Outcome) -> None:
    assert set(previewed.changes) == {"create"}
    assert created.changes == previewed.changes


def test_the_servers_run_and_the_contract_is_exported(created: Outcome, client: Client) -> None:
    pods = client.items("/api/v1/namespaces/models/pods")

    assert sorted(pod["metadata"]["labels"]["app.kubernetes.io/name"] for pod in pods) == [
        "qwen3-14b",
        "qwen3-8b",
        "qwen3-8b",
    ]
    assert {pod["status"]["phase"] for pod in pods} == {"Running"}
    assert created.outputs == {
        "contractVersion": CONTRACT_VERSION,
        "clusterName": "local",
        "nodePools": ["inference-l4"],
        "modelUrls": {"qwen3-14b": "http://qwen3-14b.models.svc", "qwen3-8b": "http://qwen3-8b.models.svc"},
    }


def test_a_second_up_changes_nothing(local: EngineStack, created: Outcome) -> None:
    del created
    again = local.up()

    assert again.changed == {}
    assert local.refresh().changed == {}


def test_one_changed_setting_updates_one_object(
    world: World, local: EngineStack, created: Outcome, client: Client
) -> None:
    del created
    world.settings("local", lambda platform: platform["models"][0].update(replicas=3))
    world.add_nodes("local")

    assert local.preview().changed == {"update": 1}
    assert local.up().changed == {"update": 1}
    assert client.get(DEPLOYMENT)["status"]["availableReplicas"] == 3


def test_a_secret_reaches_the_cluster_and_shows_nowhere_else(
    world: World, local: EngineStack, created: Outcome, client: Client
) -> None:
    del created
    wanted = client.get(DEPLOYMENT)["spec"]["replicas"]
    world.settings("local", lambda platform: platform["models"][0].update(replicas=wanted + 1))
    world.add_nodes("local")  # a rollout makes a new server before an old one goes
    world.settings("local", lambda platform: platform["models"][0].update(replicas=wanted, gated=True))
    local.automation.set_config("gpu-platform:huggingFaceToken", ConfigValue(TOKEN, secret=True))

    done = local.up()

    secret = client.get("/api/v1/namespaces/models/secrets/hugging-face")
    assert base64.b64decode(secret["data"]["token"]).decode() == TOKEN
    assert done.changed == {"create": 1, "update": 1}
    written = [path for path in world.folder.rglob("*") if path.is_file() and not path.is_symlink()]
    shown = [done.said.encode(), *(path.read_bytes() for path in written)]
    for form in (TOKEN.encode(), base64.b64encode(TOKEN.encode())):
        assert not [text for text in shown if form in text]


def test_a_refresh_sees_what_somebody_changed_and_the_next_up_repairs_it(
    local: EngineStack, created: Outcome, client: Client
) -> None:
    del created
    wanted = client.get(DEPLOYMENT)["spec"]["replicas"]
    client.merge(DEPLOYMENT, {"spec": {"replicas": 1}})
    client.delete(SERVICE)

    assert local.refresh().changed == {"update": 1, "delete": 1}
    assert local.up().changed == {"update": 1, "create": 1}
    assert client.get(DEPLOYMENT)["spec"]["replicas"] == wanted
    assert client.exists(SERVICE)


def test_a_destroy_goes_from_the_workloads_down_and_leaves_nothing(world: World, destroyed: Outcome) -> None:
    assert set(destroyed.changes) == {"delete"}
    assert world.left("local") == []
    assert (
        violations(
            world.outside.entries(),
            "delete",
            Group("command:local:Command", "guard"),
            Group("kubernetes:apps/v1:Deployment"),
            Group("command:local:Command", "*-drain"),
            Group("kubernetes:karpenter.sh/v1:NodePool"),
            Group("kubernetes:karpenter.k8s.aws/v1:EC2NodeClass"),
        )
        == []
    )
