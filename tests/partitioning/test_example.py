"""The example's plan: what Karpenter is told, what nodes get, and that its destroy is safe edge by edge."""

from typing import Any

import yaml

from infra.plan import Manifest, Plan
from infra.planning.destroy import DestroyGraph, requirements, unmet, violations
from infra.planning.destroy.references import references
from infra.settings import StackFile
from infra.settings.slices import devices_of
from simulator.nodes import nodes_for
from simulator.releases import substitutes
from tests.planning.test_destroy_order import identifiers, short, without


def named(manifests: list[Manifest], kind: str) -> dict[str, Any]:
    return {item.name: item.body for item in manifests if item.kind == kind}


def test_every_layout_a_node_names_is_one_the_mig_manager_knows(manifests: list[Manifest]) -> None:
    maps = named(manifests, "ConfigMap")
    layouts = yaml.safe_load(maps["gpu-platform-mig-layouts"]["data"]["config.yaml"])
    plugin = {key: yaml.safe_load(text) for key, text in maps["gpu-platform-device-plugin"]["data"].items()}
    labels = {
        name: pool["spec"]["template"]["metadata"]["labels"] for name, pool in named(manifests, "NodePool").items()
    }

    asked = {item["nvidia.com/mig.config"] for item in labels.values() if "nvidia.com/mig.config" in item}
    assert asked == {"all-1g.10gb", "all-2g.20gb", "chat-and-two-helpers"}
    assert set(layouts["mig-configs"]) == asked | {"all-disabled"}
    assert layouts["mig-configs"]["chat-and-two-helpers"] == [
        {"devices": "all", "mig-enabled": True, "mig-devices": {"2g.20gb": 2, "3g.40gb": 1}}
    ]
    configurations = {item["nvidia.com/device-plugin.config"] for item in labels.values()}
    assert configurations == {"mig-mixed", "timeSlicing-2"}
    assert set(plugin) == configurations | {"whole"}
    assert plugin["timeSlicing-2"]["sharing"]["timeSlicing"] == {
        "resources": [{"name": "nvidia.com/gpu", "replicas": 2}],
        "failRequestsGreaterThanOne": True,
    }


def test_karpenter_is_told_of_every_device_and_that_no_whole_gpu_is_left(manifests: list[Manifest]) -> None:
    found = {name: body["spec"] for name, body in named(manifests, "NodeOverlay").items()}

    assert sorted(found) == [
        "mixed-slices-1-gpu", "mixed-slices-8-gpu", "shared-l4-1-gpu", "small-slices-1-gpu", "small-slices-8-gpu",
    ]  # fmt: skip
    assert found["small-slices-8-gpu"] == {
        "requirements": [
            {"key": "karpenter.sh/nodepool", "operator": "In", "values": ["small-slices"]},
            {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": ["p5.48xlarge"]},
        ],
        "capacity": {"nvidia.com/gpu": "0", "nvidia.com/mig-1g.10gb": "56"},
    }
    assert found["mixed-slices-1-gpu"]["capacity"] == {
        "nvidia.com/gpu": "0", "nvidia.com/mig-2g.20gb": "2", "nvidia.com/mig-3g.40gb": "1",
    }  # fmt: skip
    assert found["shared-l4-1-gpu"]["capacity"] == {"nvidia.com/gpu": "2"}


def test_karpenters_gates_follow(plan: Plan) -> None:
    (karpenter,) = [item for item in plan if item.name == "karpenter-controller"]
    values: Any = karpenter.inputs["values"]

    assert values["settings"]["featureGates"]["nodeOverlay"] is True
    assert values["settings"]["featureGates"]["staticCapacity"] is True


def test_limits_count_what_nodes_report(manifests: list[Manifest]) -> None:
    limits = {name: pool["spec"]["limits"] for name, pool in named(manifests, "NodePool").items()}

    assert limits["small-slices"] == {"nvidia.com/mig-1g.10gb": "112", "nodes": "4"}
    assert limits["mixed-slices"] == {"nvidia.com/mig-3g.40gb": "16", "nvidia.com/mig-2g.20gb": "32", "nodes": "4"}
    assert limits["shared-l4"] == {"nvidia.com/gpu": "8", "nodes": "4"}
    assert limits["claimed-slices"] == {"nodes": "1"}


def test_nodes_that_are_cut_wait_behind_the_startup_taint(manifests: list[Manifest]) -> None:
    pools = named(manifests, "NodePool")
    waiting = {name for name, pool in pools.items() if pool["spec"]["template"]["spec"].get("startupTaints")}
    (gate,) = named(manifests, "DaemonSet").values()
    tolerated = {item["key"] for item in gate["spec"]["template"]["spec"]["tolerations"]}

    assert waiting == {"small-slices", "mixed-slices", "claimed-slices"}
    for name in waiting:
        node = pools[name]["spec"]["template"]["spec"]
        assert node["startupTaints"] == [{"key": "gpu-platform/partitioning", "effect": "NoSchedule"}]
        assert {taint["key"] for taint in (*node["startupTaints"], *node["taints"])} <= tolerated


def test_the_operators_pods_bear_every_taint_of_gpu_nodes(plan: Plan, manifests: list[Manifest]) -> None:
    (release,) = [item for item in plan if item.name == "gpu-operator-operator"]
    values: Any = release.inputs["values"]
    taints = {
        taint["key"]
        for pool in named(manifests, "NodePool").values()
        for kind in ("taints", "startupTaints")
        for taint in pool["spec"]["template"]["spec"].get(kind, [])
    }

    for tolerations in (values["daemonsets"]["tolerations"], values["node-feature-discovery"]["worker"]["tolerations"]):
        assert taints <= {item["key"] for item in tolerations}


def test_a_model_asks_for_its_slice_and_its_share_of_the_host(manifests: list[Manifest]) -> None:
    pods = {name: body["spec"]["template"]["spec"] for name, body in named(manifests, "Deployment").items()}
    asked = {name: pod["containers"][0]["resources"] for name, pod in pods.items()}

    assert asked["chat"]["limits"]["nvidia.com/mig-3g.40gb"] == "1"
    assert asked["helper"]["limits"]["nvidia.com/mig-2g.20gb"] == "1"
    assert not any("nvidia.com/gpu" in item["limits"] for item in asked.values())
    # Half and a quarter of a p5.4xlarge (16 vCPU), less a fifth for the node.
    assert (asked["chat"]["requests"]["cpu"], asked["helper"]["requests"]["cpu"]) == ("6", "3")


def test_the_simulated_node_has_the_devices_of_its_layout(example: StackFile, manifests: list[Manifest]) -> None:
    nodes = {node.pool: node for node in nodes_for(manifests)}
    pools = {pool.name: pool for pool in example.settings.node_pools}

    assert set(nodes) == {"mixed-slices", "claimed-slices"}
    assert len(nodes["mixed-slices"].pods) == 3
    capacity = nodes["mixed-slices"].body["status"]["capacity"]
    derived = devices_of(pools["mixed-slices"], example.settings.mig_layouts, 1)
    assert {key: int(value) for key, value in capacity.items() if key.startswith("nvidia.com/")} == derived
    assert nodes["claimed-slices"].body["status"]["capacity"]["nvidia.com/gpu"] == "0"


def test_slices_are_claimed_by_class_and_template(manifests: list[Manifest]) -> None:
    (device_class,), (template,) = (
        list(named(manifests, kind).values()) for kind in ("DeviceClass", "ResourceClaimTemplate")
    )

    assert device_class["spec"]["selectors"][0]["cel"]["expression"] == (
        'device.driver == "gpu.nvidia.com" && device.attributes["gpu.nvidia.com"].type == "mig"'
        ' && device.attributes["gpu.nvidia.com"].profile == "2g.20gb"'
    )
    (request,) = template["spec"]["spec"]["devices"]["requests"]
    assert request["exactly"] == {"deviceClassName": device_class["metadata"]["name"], "count": 1}
    assert template["metadata"]["namespace"] == "default"


def test_every_chart_has_a_substitute(plan: Plan) -> None:
    assert {"gpu-operator", "dra-driver-nvidia-gpu"} <= {chart for chart, _ in substitutes(plan)}


def test_a_destroy_is_safe_and_every_edge_of_it_is_needed(plan: Plan) -> None:
    assert [str(item) for item in violations(plan)] == []
    graph = DestroyGraph(plan)
    whole, held = graph.order(), list(references(plan, identifiers(plan)))
    survived = []
    for edge in graph.edges:
        order = graph.order(without=edge)
        if order != whole and not any(unmet(order, [*held, *requirements(without(plan, edge))])):
            survived.append(f"{short(plan, edge.first)} -> {short(plan, edge.then)}")
    assert survived == []
