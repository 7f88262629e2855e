"""The two examples of a fabric: what they create, whether the API server takes it, and how they end."""

from functools import cache
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # its stubs are not pinned here
import pytest
import yaml

from infra.conventions import FABRIC_LABEL
from infra.plan import Manifest, Plan, PlannedResource, kubernetes_manifests
from infra.planning.destroy import DestroyGraph, requirements, unmet, violations
from infra.planning.destroy.references import references
from infra.planning.placement import node_pools, offers_of
from infra.settings import load_stack_file
from infra.versions import NETWORK_OPERATOR
from simulator.apply import dry_run
from simulator.client import Client
from simulator.crds import WITHOUT_DEFINITIONS
from simulator.releases import SUBSTITUTES, substitutes
from stacks.evaluation import evaluate
from tests.components.test_against_crds import closed
from tests.conftest import ROOT
from tests.embedded import Listener
from tests.planning.test_destroy_order import identifiers, short, without

EXAMPLES = {"efa": "examples/efa/Pulumi.efa.yaml", "hybrid-sriov": "examples/hybrid-sriov/Pulumi.hybrid-sriov.yaml"}
EFA_POOLS = {"training-h100-reserved", "training-h100", "tuning-l40s"}


@cache
def plan_of(example: str) -> Plan:
    return evaluate(load_stack_file(ROOT / EXAMPLES[example]), "stand-in")


@pytest.fixture(params=EXAMPLES)
def plan(request: pytest.FixtureRequest) -> Plan:
    return plan_of(request.param)


def objects(plan: Plan, kind: str) -> dict[str, dict[str, Any]]:
    return {item.name: item.body for item in kubernetes_manifests(plan) if item.kind == kind}


def release(plan: Plan, chart: str) -> PlannedResource:
    (found,) = [
        item
        for item in plan.of_type("kubernetes:helm.sh/v3:Release")
        if str(item.inputs["chart"]).rpartition("/")[2] == chart
    ]
    return found


def test_every_class_of_an_efa_pool_lists_the_interfaces_of_its_machines() -> None:
    classes = objects(plan_of("efa"), "EC2NodeClass")
    counts = {name: len(body["spec"].get("networkInterfaces", [])) for name, body in classes.items()}

    assert counts == {
        "training-h100-reserved": 33,
        "training-h100": 33,
        "tuning-l40s": 5,
        "training-mpi": 0,
        "cpu": 0,
    }
    first, second, third = classes["tuning-l40s"]["spec"]["networkInterfaces"][:3]
    assert first == {"networkCardIndex": 0, "deviceIndex": 0, "interfaceType": "interface"}
    assert second == {"networkCardIndex": 0, "deviceIndex": 1, "interfaceType": "efa-only"}
    assert third == {"networkCardIndex": 1, "deviceIndex": 0, "interfaceType": "efa-only"}


def test_the_device_plugin_runs_on_efa_nodes_alone_and_tolerates_their_taints() -> None:
    plan = plan_of("efa")
    values: Any = release(plan, "aws-efa-k8s-device-plugin").inputs["values"]
    pools = objects(plan, "NodePool")
    labelled = {
        name: body["spec"]["template"]["metadata"].get("labels", {}).get(FABRIC_LABEL) for name, body in pools.items()
    }

    assert values["supportedInstanceLabels"] == {"keys": [FABRIC_LABEL], "values": ["efa"]}
    assert {name for name, fabric in labelled.items() if fabric == "efa"} == EFA_POOLS
    assert labelled["training-mpi"] == "host-network"
    tolerated = {item["key"] for item in values["tolerations"] if item["operator"] == "Exists"}
    for name in EFA_POOLS:
        assert {taint["key"] for taint in pools[name]["spec"]["template"]["spec"]["taints"]} <= tolerated


def test_karpenter_is_told_of_the_huge_pages_of_efa_pools_alone() -> None:
    plan = plan_of("efa")
    pages = {
        item.name: offers_of(item)[0].allocatable.get("hugepages-2Mi")
        for item in node_pools(kubernetes_manifests(plan))
        if item.name != "cpu"
    }
    gates: Any = release(plan, "karpenter").inputs["values"]

    assert {name for name, amount in pages.items() if amount == 10256 * 1024**2} == EFA_POOLS
    assert pages["training-mpi"] is None
    assert gates["settings"]["featureGates"]["nodeOverlay"] is True


def test_the_group_is_created_for_the_pool_that_names_it() -> None:
    plan = plan_of("efa")
    (group,) = plan.of_type("aws:ec2/placementGroup:PlacementGroup")
    selectors = {
        name: body["spec"].get("placementGroupSelector") for name, body in objects(plan, "EC2NodeClass").items()
    }

    assert (group.inputs["name"], group.inputs["strategy"]) == ("gpu-training-h100", "cluster")
    assert selectors["training-h100"] == {"name": "gpu-training-h100"}
    assert selectors["training-h100-reserved"] is None  # its reservation was not made in the group


def test_nodes_may_talk_to_each_other_in_both_directions() -> None:
    """EFA's two rules: all traffic from the group to itself, in and out."""
    plan = plan_of("efa")
    own = [
        item.type_token.rpartition(":")[2]
        for item in plan
        if item.type_token.startswith("aws:vpc/securityGroup")
        and item.inputs.get("ipProtocol") == "-1"
        and item.inputs.get("referencedSecurityGroupId") == item.inputs.get("securityGroupId")
    ]

    assert sorted(own) == ["SecurityGroupEgressRule", "SecurityGroupIngressRule"]


def test_the_gate_is_off_where_no_pool_needs_it() -> None:
    stack = load_stack_file(ROOT / "Pulumi.dev.yaml")
    plan = evaluate(stack, "stand-in")
    values: Any = release(plan, "karpenter").inputs["values"]

    assert not any(pool.needs_node_overlay for pool in stack.settings.node_pools)
    assert "nodeOverlay" not in values["settings"]["featureGates"]


def test_cards_are_divided_on_hybrid_nodes_and_nowhere_else() -> None:
    plan = plan_of("hybrid-sriov")
    selector = {"eks.amazonaws.com/compute-type": "hybrid"}
    policies = objects(plan, "SriovNetworkNodePolicy")

    assert set(policies) == {"roce", "infiniband"}
    assert all(body["spec"]["nodeSelector"] == selector for body in policies.values())
    assert policies["roce"]["spec"] == {
        "resourceName": "roce_vf",
        "nodeSelector": selector,
        "numVfs": 8,
        "nicSelector": {"vendor": "15b3", "pfNames": ["ens1f0np0", "ens2f0np0"]},
        "deviceType": "netdevice",
        "isRdma": True,
        "linkType": "eth",
        "mtu": 9000,
    }
    assert policies["infiniband"]["spec"]["linkType"] == "ib"
    assert (set(objects(plan, "SriovNetwork")), set(objects(plan, "SriovIBNetwork"))) == ({"roce"}, {"infiniband"})
    (config,) = objects(plan, "SriovOperatorConfig").values()
    assert config["spec"]["configDaemonNodeSelector"] == selector


def test_shared_devices_are_offered_by_the_nic_policy() -> None:
    plan = plan_of("hybrid-sriov")
    (policy,) = objects(plan, "NicClusterPolicy").values()
    shared = yaml.safe_load(policy["spec"]["rdmaSharedDevicePlugin"]["config"])

    assert policy["metadata"]["name"] == "nic-cluster-policy"
    assert shared == {
        "configList": [
            {
                "resourceName": "hca_storage",
                "rdmaHcaMax": 32,
                "selectors": {"vendors": ["15b3"], "ifNames": ["ens3f0np0"]},
            }
        ]
    }
    assert objects(plan, "MacvlanNetwork")["storage"]["spec"]["master"] == "ens3f0np0"


def test_the_api_server_takes_every_object(plan: Plan, control_plane: Client, listener: Listener) -> None:
    rejections = dry_run(control_plane, kubernetes_manifests(plan), listener)

    assert [str(item) for item in rejections] == []


def test_what_has_no_crd_here_is_left_out_and_said_so(control_plane: Client, listener: Listener) -> None:
    dry_run(control_plane, kubernetes_manifests(plan_of("hybrid-sriov")), listener)
    left_out = [note for note in listener.notes if "is left out" in note]

    assert left_out == [
        f"{kind} is left out: NVIDIA's network operator has no Go module that could be had"
        for kind in ("NicClusterPolicy", "MacvlanNetwork")
    ]


def test_an_object_nobody_decided_on_stays_an_error(control_plane: Client, listener: Listener) -> None:
    body = {"apiVersion": "sriovnetwork.openshift.io/v1", "kind": "SriovThing", "metadata": {"name": "x"}, "spec": {}}

    (rejection,) = dry_run(control_plane, [Manifest(body, "")], listener)

    assert "does not serve kind SriovThing" in rejection.message


def test_objects_without_a_module_are_as_the_collected_crd_wants_them(shared: Path) -> None:
    folder = shared / "crds" / "nvidia-network-operator" / f"v{NETWORK_OPERATOR}"
    if not folder.is_dir():
        pytest.skip(f"no {folder.relative_to(shared)} in ../shared")
    schemas = {}
    for path in folder.glob("mellanox.com_*.yaml"):
        definition = yaml.safe_load(path.read_text(encoding="utf-8"))["spec"]
        for version in definition["versions"]:
            key = (f"{definition['group']}/{version['name']}", definition["names"]["kind"])
            schemas[key] = closed(version["schema"]["openAPIV3Schema"])
    found = [
        item
        for item in kubernetes_manifests(plan_of("hybrid-sriov"))
        if item.api_version.partition("/")[0] in WITHOUT_DEFINITIONS
    ]

    assert {item.kind for item in found} == {"NicClusterPolicy", "MacvlanNetwork"}
    for item in found:
        validator = jsonschema.Draft202012Validator(schemas[item.api_version, item.kind])
        assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(item.body)] == []
        bad = {**item.body, "spec": {**item.body["spec"], "masster": "x"}}
        assert any("masster" in error.message for error in validator.iter_errors(bad))


def test_every_chart_has_a_substitute(plan: Plan) -> None:
    assert {chart for chart, _ in substitutes(plan)} <= set(SUBSTITUTES)


def test_a_destroy_is_safe(plan: Plan) -> None:
    assert [str(item) for item in violations(plan)] == []


def test_every_edge_of_a_destroy_is_needed_or_implied(plan: Plan) -> None:
    """As tests/planning/test_destroy_order does for the environments: an edge whose loss nobody notices is a fault."""
    graph = DestroyGraph(plan)
    whole, held = graph.order(), list(references(plan, identifiers(plan)))
    survived = [
        f"{short(plan, edge.first)} -> {short(plan, edge.then)}"
        for edge in graph.edges
        if (order := graph.order(without=edge)) != whole
        and not any(unmet(order, [*held, *requirements(without(plan, edge))]))
    ]

    assert survived == []
