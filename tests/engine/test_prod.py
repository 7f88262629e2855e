"""Prod, whole, in the real engine: what the offline evaluation promised, changes, drift, and the end."""

from dataclasses import dataclass
from typing import Any

import pytest

from infra.plan import Marker, Plan
from stacks.evaluation import evaluate
from tests.engine.order import Group, of_pool, violations
from tests.engine.providers.aws_references import ATTACHMENT, CLUSTER, NODES, SUBNET
from tests.engine.providers.kube_components import CHART, DEFINITION, FILE, brought_by_files
from tests.engine.providers.outside import Row
from tests.engine.world import EngineStack, Outcome, World


@dataclass(frozen=True)
class Life:
    """The first preview and update of the stack."""

    stack: EngineStack
    preview: Outcome
    up: Outcome


@pytest.fixture(scope="module")
def prod(world: World) -> Life:
    """Prod in one stack, with nodes that have room for its pods."""
    world.settings("prod", lambda platform: platform.pop("layers"))
    world.add_nodes("prod")
    stack = world.stack("prod")
    preview = stack.preview()
    assert world.outside.rows() == []
    return Life(stack, preview, stack.up())


@pytest.fixture(scope="module")
def plan(world: World) -> Plan:
    """What the evaluation says without an engine."""
    return evaluate(world.stack_file("prod"))


def test_the_first_preview_knows_every_resource_before_there_is_a_cluster(prod: Life) -> None:
    """But for what a remote component finds in a chart: the engine asks none whose provider has no address yet."""
    assert set(prod.preview.changes) == {"create"}
    assert prod.up.changes == {"create": prod.preview.changes["create"] + len(brought_by_files())}
    assert "warning" not in prod.preview.said + prod.up.said


def test_the_engine_registers_what_the_evaluation_said(prod: Life, plan: Plan) -> None:
    state = {item["urn"]: item for item in prod.stack.resources()}

    different = {}
    for resource in plan:
        assert resource.urn in state
        engine = state[resource.urn].get("inputs") or {}
        for key, value in resource.inputs.items():
            if not resource.type_token.startswith("pulumi:providers:") and not _fits(engine.get(key), value):
                different[f"{resource.urn} {key}"] = (value, engine.get(key))
    assert different == {}

    # Beyond the plan there is only what pulumi-eks makes inside its component, the engine's own,
    beyond = {urn.split("::")[2] for urn in state if urn not in {resource.urn for resource in plan}}
    # and the CRDs in a chart that is rendered.
    inside = {token for token in beyond if "$eks:index:Cluster$" in token}
    found = {token for token in beyond if token.endswith(DEFINITION) and "gpu-platform:index:Gateway" in token}
    assert {token.split("$")[-2] for token in found} == {CHART, FILE}
    assert beyond - inside - found == {"pulumi:pulumi:Stack", "pulumi:providers:command", "pulumi:providers:eks"}
    assert {token.rpartition("$")[2] for token in inside} == {
        "aws:eks/accessEntry:AccessEntry",
        "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
        "aws:eks/cluster:Cluster",
        "aws:iam/role:Role",
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        "eks:index:ServiceRole",
        "pulumi:providers:kubernetes",
    }


def _fits(engine: Any, planned: Any) -> bool:  # JSON data on both sides
    """Whether the engine's value is the planned one, as far as that was known."""
    if isinstance(planned, Marker):
        return True
    if isinstance(planned, dict):
        known = {key: value for key, value in planned.items() if key in (engine or {}) or value is not None}
        return isinstance(engine, dict) and all(_fits(engine.get(key), value) for key, value in known.items())
    if isinstance(planned, list):
        same = isinstance(engine, list) and len(engine) == len(planned)
        return same and all(_fits(item, value) for item, value in zip(engine, planned, strict=True))
    return bool(engine == planned)


def test_the_transform_reaches_the_cluster_inside_the_component(prod: Life, world: World) -> None:
    del prod
    cluster = next(row for row in world.outside.rows() if row.type_token == CLUSTER)

    assert cluster.inputs["accessConfig"] == {
        "authenticationMode": "API",
        "bootstrapClusterCreatorAdminPermissions": False,
    }
    assert cluster.inputs["kubeSchedulerConfig"]["nodeResourcesFit"]["scoringStrategy"] == {
        "type": "MostAllocated",
        "resources": [{"name": "nvidia.com/gpu", "weight": 1}],
    }
    assert cluster.inputs["controlPlaneScalingConfig"] == {"tier": "tier-xl"}
    assert cluster.inputs["zonalShiftConfig"] == {"enabled": True}


def test_everything_is_made_after_what_it_needs(prod: Life, world: World) -> None:
    del prod
    entries = world.outside.entries()
    system = Group(NODES)

    for first, then in (
        (Group(ATTACHMENT, "gpu-prod-system-*"), system),
        (Group("aws:eks/addon:Addon", "gpu-prod-vpc-cni"), system),
        (system, Group("aws:eks/addon:Addon", "gpu-prod-coredns")),
        (Group("aws:eks/addon:Addon", "gpu-prod-coredns"), Group("*:Release", "karpenter-controller")),
        (Group("kubernetes:helm.sh/v3:Release", "karpenter-crds"), Group("*:Release", "karpenter-controller")),
        (Group("aws:eks/podIdentityAssociation:*", "karpenter-*"), Group("*:Release", "karpenter-controller")),
        (Group("*:Release", "karpenter-controller"), Group("kubernetes:karpenter.k8s.aws/v1:EC2NodeClass")),
    ):
        assert violations(entries, "create", first, then) == []


def test_a_second_up_and_a_refresh_change_nothing(prod: Life) -> None:
    assert prod.stack.up().changed == {}
    assert prod.stack.refresh().changed == {}


def test_drift_in_aws_is_seen_by_a_refresh_and_repaired_by_the_next_up(prod: Life, world: World) -> None:
    rows = world.outside.rows()
    subnet = next(row for row in rows if row.type_token == SUBNET)
    attachment = next(row for row in rows if row.type_token == ATTACHMENT and "Karpenter" in row.key)
    strange = {"tags": {"owner": "somebody"}}
    world.outside.put(Row(SUBNET, subnet.key, {**subnet.inputs, **strange}, {**subnet.outputs, **strange}))
    world.outside.remove(ATTACHMENT, attachment.key)

    assert prod.stack.refresh().changed == {"update": 1, "delete": 1}
    assert prod.stack.up().changed == {"update": 1, "create": 1}
    assert world.outside.row(SUBNET, subnet.key) == subnet
    assert world.outside.row(ATTACHMENT, attachment.key) == attachment


def test_another_machine_for_the_system_nodes_comes_before_the_old_one_goes(prod: Life, world: World) -> None:
    before = len(world.outside.entries())
    world.settings("prod", lambda platform: platform["cluster"]["systemNodes"].update(instanceTypes=["m7i.2xlarge"]))

    preview = prod.stack.preview()
    assert prod.stack.up().changed == preview.changed == {"replace": 1}
    operations = [
        (entry["operation"], entry["event"]) for entry in world.outside.entries()[before:] if entry.get("type") == NODES
    ]
    assert operations == [("create", "begun"), ("create", "done"), ("delete", "begun"), ("delete", "done")]


def test_a_destroy_of_what_is_protected_says_so_and_touches_nothing(prod: Life, world: World) -> None:
    """Without a preview, as the Automation API does; `pulumi destroy` looks at one first, and stops there."""
    before = world.outside.rows()

    said = prod.stack.failure("destroy")

    assert "because it is protected" in said
    assert "`pulumi state unprotect" in said
    assert world.outside.rows() == before


@pytest.fixture(scope="module")
def destroyed(prod: Life, world: World) -> Outcome:
    """Protection goes first, by an update of its own, as for any cluster that is to end."""
    before = len(world.outside.entries())
    world.settings("prod", lambda platform: platform["cluster"].update(deletionProtection=False))
    prod.stack.up()
    changed = {(entry["operation"], entry["type"]) for entry in world.outside.entries()[before:] if "type" in entry}
    unprotected = (CLUSTER, "aws:ecr/repository:Repository")
    assert changed == {("update", token) for token in unprotected}
    return prod.stack.destroy()


def test_a_destroy_leaves_nothing(prod: Life, destroyed: Outcome, world: World) -> None:
    assert set(destroyed.changes) == {"delete"}
    assert prod.stack.resources() == []
    assert world.left("prod") == []


CONTROLLER = Group("kubernetes:helm.sh/v3:Release", "karpenter-controller")
KEY = "aws:kms/key:Key"
GUARD = Group("command:local:Command", "guard")
BETWEEN_CONTROLLER_AND_CLUSTER = (
    Group("kubernetes:helm.sh/v3:Release", "karpenter-crds"),
    Group("aws:eks/podIdentityAssociation:PodIdentityAssociation", "karpenter-*"),
    Group("aws:sqs/queue:Queue"),
    Group("aws:eks/accessEntry:AccessEntry", "karpenter-*"),
    Group("aws:eks/addon:Addon", "gpu-prod-coredns"),
    Group(NODES),
)


def test_a_destroy_goes_from_the_workloads_down(destroyed: Outcome, world: World) -> None:
    del destroyed
    entries = world.outside.entries()
    last = max(index for index, entry in enumerate(entries) if entry.get("operation") == "update")
    entries = entries[last:]  # the replacement of the system nodes deleted a group too

    for pool in (item.name for item in world.stack_file("prod").settings.node_pools):
        assert violations(entries, "delete", GUARD, *of_pool(pool), CONTROLLER) == []
    for server, pool in (
        ("qwen3-*", "inference-l40s"),
        ("summaries-*", "inference-l40s-spot"),
        ("helper-*", "mig-h100"),
    ):
        servers = Group("kubernetes:apps/v1:Deployment", server)
        assert violations(entries, "delete", GUARD, servers, of_pool(pool)[0]) == []
    operator = Group("kubernetes:helm.sh/v3:Release", "gpu-operator*")
    assert violations(entries, "delete", of_pool("mig-h100")[-1], operator, Group(CLUSTER)) == []
    for other in BETWEEN_CONTROLLER_AND_CLUSTER:
        assert violations(entries, "delete", CONTROLLER, other, Group(CLUSTER), Group("aws:ec2/vpc:Vpc")) == []
    # The bucket stays, and what it holds can be read with this key only.
    assert not [entry for entry in entries if entry.get("operation") == "delete" and Group(KEY).holds(entry)]
