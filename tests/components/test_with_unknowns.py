"""Components whose inputs only the cloud knows: everything is registered all the same, the values are unknown."""

from typing import Any

import pytest

from components.nodes import GpuNodePool
from components.serving import ModelServer
from infra.plan import Marker, Plan
from tests.components.test_gpu_node_pool_spec import arguments as pool_arguments
from tests.components.test_model_server_spec import arguments as server_arguments
from tests.evaluation.conftest import no_waiting_for_ever
from tests.evaluation.programs import run, unknown

__all__ = ["no_waiting_for_ever"]


def inputs_of(plan: Plan, kind: str) -> Any:
    (found,) = [item for item in plan if item.type_token.endswith(f":{kind}") and item.custom]
    return found.inputs


def tokens(plan: Plan) -> list[str]:
    return sorted(item.type_token.rpartition(":")[2] for item in plan)


SERVER = ["Deployment", "ModelServer", "NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceAccount"]


def test_a_server_of_plain_values_is_registered_under_its_component() -> None:
    plan = run(lambda: ModelServer("qwen", server_arguments()))

    assert tokens(plan) == SERVER
    (component,) = plan.of_type("gpu-platform:index:ModelServer")
    assert {item.parent for item in plan if item is not component} == {component.urn}
    assert {item.inputs["metadata"]["name"] for item in plan if item.custom} == {"qwen"}  # type: ignore[index,call-overload]


@pytest.mark.parametrize("secret", [False, True])
def test_a_server_in_an_unknown_namespace(secret: bool) -> None:
    plan = run(lambda: ModelServer("qwen", server_arguments(namespace=unknown(secret))))

    assert tokens(plan) == SERVER
    for kind in ("Deployment", "NetworkPolicy", "Service", "ServiceAccount", "PodDisruptionBudget"):
        metadata = inputs_of(plan, kind)["metadata"]
        assert metadata["namespace"] is (Marker.SECRET if secret else Marker.UNKNOWN)
        assert metadata["name"] == "qwen"


def test_a_server_with_an_unknown_image() -> None:
    plan = run(lambda: ModelServer("qwen", server_arguments(image=unknown())))

    (container,) = inputs_of(plan, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["image"] is Marker.UNKNOWN
    assert container["args"][0] == "Qwen/Qwen3-8B"


def test_a_server_with_a_token_of_an_unknown_name() -> None:
    plan = run(lambda: ModelServer("qwen", server_arguments(token_secret={"name": unknown(), "key": "token"})))

    (container,) = inputs_of(plan, "Deployment")["spec"]["template"]["spec"]["containers"]
    (variable,) = [item for item in container["env"] if item["name"] == "HF_TOKEN"]
    assert variable["valueFrom"]["secretKeyRef"] == {"name": Marker.UNKNOWN, "key": "token"}


def test_the_url_of_a_server_is_known_when_its_namespace_is() -> None:
    import pulumi

    def program(namespace: Any) -> None:
        pulumi.export("url", ModelServer("qwen", server_arguments(namespace=namespace)).url)

    assert run(lambda: program("models")).exports == {"url": "http://qwen.models.svc"}
    assert run(lambda: program(unknown())).exports == {"url": Marker.UNKNOWN}


def test_the_provider_waits_as_long_as_a_rollout_takes() -> None:
    """Replica after replica, each a node and a start."""
    plan = run(lambda: ModelServer("qwen", server_arguments(replicas=3, startup_seconds=100)))

    (deployment,) = plan.of_type("kubernetes:apps/v1:Deployment")
    assert int(deployment.options.custom_timeouts["create"].removesuffix("s")) >= 3 * (100 + 900)
    assert "update" in deployment.options.custom_timeouts


def test_the_service_comes_after_the_servers_and_the_account_before() -> None:
    plan = run(lambda: ModelServer("qwen", server_arguments()))
    place = {item.type_token.rpartition(":")[2]: index for index, item in enumerate(plan)}

    assert place["ModelServer"] < place["ServiceAccount"] < place["Deployment"] < place["Service"]


def test_a_pool_goes_before_its_class_on_destroy() -> None:
    """The class is what Karpenter ends instances with; the NodePool that needs it must be gone first."""
    plan = run(lambda: GpuNodePool("l4", pool_arguments()))

    (node_class,) = [item for item in plan if item.type_token.endswith(":EC2NodeClass")]
    (node_pool,) = [item for item in plan if item.type_token.endswith(":NodePool")]
    assert node_class.urn in node_pool.dependencies
    assert node_pool.inputs["metadata"] == node_class.inputs["metadata"] == {"name": "l4"}


def test_a_pool_of_an_unknown_cluster_with_unknown_tags() -> None:
    def program() -> None:
        tags = {"owner": "ml", "key": unknown()}
        GpuNodePool("l4", pool_arguments(cluster_name=unknown(), node_role=unknown(), tags=tags))

    plan = run(program)

    spec = inputs_of(plan, "EC2NodeClass")["spec"]
    assert spec["role"] is Marker.UNKNOWN
    assert spec["subnetSelectorTerms"] == [{"tags": {"karpenter.sh/discovery": Marker.UNKNOWN}}]
    assert spec["tags"] == {"owner": "ml", "key": Marker.UNKNOWN}
    assert inputs_of(plan, "NodePool")["spec"]["limits"] == {"nvidia.com/gpu": "8", "nodes": "4"}


def test_the_name_of_a_pool_is_known_before_it_exists() -> None:
    import pulumi

    assert run(lambda: pulumi.export("name", GpuNodePool("l4", pool_arguments()).pool_name)).exports == {"name": "l4"}
