"""What Karpenter's kwok provider is told instead of AWS: machines from the catalogue, classes field by field."""

from typing import Any

import pytest

from infra.catalog.zones import zones_offering
from infra.plan.manifests import Manifest
from infra.planning.placement import node_pools, quantity
from infra.planning.placement.shapes import shapes
from simulator.crds import SOURCES, custom_resource_definitions
from simulator.karpenter.instance_types import instance_types, instance_types_file, reservations_of, size_conflicts
from simulator.karpenter.rewriting import changes, rewritten
from tests.simulator.manifests import L40S, ec2_node_class, node_pool, requirement, small_plan

Json = dict[str, Any]

RESERVATION = "cr-0123456789abcdef0"
ID = "karpenter.k8s.aws/capacity-reservation-id"
TYPE = "karpenter.k8s.aws/capacity-reservation-type"


def labels(offering: Json) -> dict[str, list[str]]:
    """What an offering requires; an empty list where the label must not be there."""
    return {item["key"]: item.get("values", []) for item in offering["Requirements"]}


def type_named(name: str, manifests: list[Manifest]) -> Json:
    return next(item for item in instance_types(manifests) if item["name"] == name)


def capacity_types(item: Json) -> set[str]:
    return {labels(offering)["karpenter.sh/capacity-type"][0] for offering in item["offerings"]}


def reserved_plan(*values: str, **spec: Any) -> list[Manifest]:
    kind = (requirement(TYPE, *values),) if values else ()
    requirements = (requirement("karpenter.sh/capacity-type", "reserved"), *kind)
    return [
        ec2_node_class("gpu", capacityReservationSelectorTerms=[{"id": RESERVATION}]),
        node_pool("block", requirements, limits={"nodes": 3, "nvidia.com/gpu": 24}, **spec),
        ec2_node_class("other"),
    ]


def test_pods_get_on_every_type_what_the_catalogue_says() -> None:
    pool = node_pools(small_plan())[0]
    sizes = {item["name"]: item["resources"] for item in instance_types(small_plan())}

    assert set(sizes) == {shape.name for shape in shapes()}
    # The provider takes 100 millicores and 10 MiB off (kwok/cloudprovider/helpers.go).
    taken = {"cpu": quantity("100m"), "memory": quantity("10Mi")}
    for shape in shapes():
        if "l40s" in shape.labels.values():
            given = {key: quantity(value) - taken.get(key, 0) for key, value in sizes[shape.name].items()}
            assert given == shape.allocatable(pool.node_class), shape.name


def test_every_offering_says_something_about_every_label() -> None:
    """Karpenter takes silence about a well-known label as consent: a CPU type would do for a GPU pool."""
    offerings = [labels(offering) for item in instance_types(small_plan()) for offering in item["offerings"]]
    keys = set(offerings[0])

    assert {"karpenter.k8s.aws/instance-gpu-name", "topology.k8s.aws/zone-id", ID} <= keys
    assert all(set(item) == keys for item in offerings)
    cpu = labels(type_named("m7i.large", small_plan())["offerings"][0])
    assert cpu["karpenter.k8s.aws/instance-gpu-name"] == []
    assert cpu["karpenter.k8s.aws/instance-category"] == ["m"]


def test_types_are_offered_in_the_zones_of_the_pools_where_aws_sells_them() -> None:
    found = {item["name"]: item for item in instance_types(small_plan())}

    for name, item in found.items():
        zones = {zone for offering in item["offerings"] for zone in labels(offering)["topology.k8s.aws/zone-id"]}
        assert zones <= {"use1-az4", "use1-az6"}, name
        if "gpu" in name:
            assert zones <= zones_offering(name, "us-east-1"), name
    assert capacity_types(found["g6e.xlarge"]) == {"on-demand", "spot"}
    assert found["p6e-gb200.36xlarge"]["offerings"] == []  # sold as capacity blocks only, and not there


def test_spot_is_cheaper_than_on_demand_and_a_reservation_comes_first() -> None:
    for item in instance_types(reserved_plan()):
        prices: dict[str, set[float]] = {}
        for offering in item["offerings"]:
            prices.setdefault(labels(offering)["karpenter.sh/capacity-type"][0], set()).add(offering["Price"])
        assert all(len(values) == 1 for values in prices.values())
        order = [next(iter(prices[kind])) for kind in ("reserved", "spot", "on-demand") if kind in prices]
        assert order == sorted(order)
        assert all(price > 0 for price in order)


def test_a_reservation_is_for_the_pools_of_its_class_alone_and_as_large_as_their_limit() -> None:
    plan = reserved_plan()
    reserved = [
        offering
        for offering in type_named("g6e.xlarge", plan)["offerings"]
        if labels(offering)["karpenter.sh/capacity-type"] == ["reserved"]
    ]

    assert reserved
    for offering in reserved:
        assert labels(offering)[ID] == [RESERVATION]
        assert labels(offering)[TYPE] == ["default"]
        assert labels(offering)["karpenter.sh/nodepool"] == ["block"]
        assert offering["ReservationCapacity"] == 3


def test_a_pool_that_asks_for_capacity_blocks_gets_its_reservation_as_one() -> None:
    assert [item.kind for item in reservations_of(reserved_plan("capacity-block"))] == ["capacity-block"]


def test_a_type_that_two_classes_size_differently_shows_the_smaller_and_says_so() -> None:
    small = [
        ec2_node_class("gpu"),
        node_pool("gpu", L40S),
        ec2_node_class("disks", instanceStorePolicy="RAID0"),
        node_pool("disks", L40S),
    ]
    spec = small[3].body["spec"]["template"]["spec"]
    spec["nodeClassRef"] = {**spec["nodeClassRef"], "name": "disks"}

    one = quantity(type_named("g6e.48xlarge", small[:2])["resources"]["ephemeral-storage"])
    two = quantity(type_named("g6e.48xlarge", small[2:])["resources"]["ephemeral-storage"])
    both = quantity(type_named("g6e.48xlarge", small)["resources"]["ephemeral-storage"])

    assert one < two
    assert both == one
    assert size_conflicts(small[:2]) == []
    assert "g6e.48xlarge" in size_conflicts(small)
    assert any(change.kind == "instance type" for change in changes(small))


def test_the_same_plan_gives_the_same_file() -> None:
    assert instance_types_file(small_plan()) == instance_types_file(small_plan())


def test_of_a_pool_only_the_reference_to_its_class_changes() -> None:
    before = small_plan()
    after = rewritten(before)

    assert [item.kind for item in after[:3]] == ["EC2NodeClass", "KWOKNodeClass", "NodePool"]
    assert [item for item in after if item.kind not in {"KWOKNodeClass", "NodePool"}] == [
        item for item in before if item.kind != "NodePool"
    ]
    was, now = before[1].body["spec"], after[2].body["spec"]
    assert now["template"]["spec"].pop("nodeClassRef") == {
        "group": "karpenter.kwok.sh",
        "kind": "KWOKNodeClass",
        "name": "gpu",
    }
    assert was["template"]["spec"].pop("nodeClassRef")["kind"] == "EC2NodeClass"
    assert now == was


def test_two_pools_of_one_class_share_the_new_one() -> None:
    kinds = [item.kind for item in rewritten([ec2_node_class(), node_pool("a"), node_pool("b")])]
    assert kinds == ["EC2NodeClass", "KWOKNodeClass", "NodePool", "NodePool"]


@pytest.fixture(scope="module")
def node_class_fields() -> set[str]:
    """Every field of the spec of an EC2NodeClass, from the CRD of the pinned version."""
    crd = next(item for item in custom_resource_definitions(SOURCES) if item.name == "ec2nodeclasses.karpenter.k8s.aws")
    version = next(item for item in crd.body["spec"]["versions"] if item["storage"])
    return set(version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"])


def test_every_field_of_a_class_is_accounted_for(node_class_fields: set[str]) -> None:
    everything = Manifest(
        {**ec2_node_class().body, "spec": {field: {} for field in node_class_fields - {"blockDeviceMappings"}}}, ""
    )
    found = {change.field: change.into for change in changes([everything]) if change.kind == "EC2NodeClass"}

    assert {"amiSelectorTerms", "role", "subnetSelectorTerms", "userData"} <= set(found)
    assert [field for field, into in found.items() if "not known" in into] == []
