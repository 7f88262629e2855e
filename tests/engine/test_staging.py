"""Staging in the real engine, once through its life. It has what no other whole environment has: two ranges, spot."""

from tests.engine.order import Group, of_pool, violations
from tests.engine.providers.kube_components import DEFINITION, brought_by_files
from tests.engine.world import World


def test_staging_comes_up_stays_as_it_is_and_goes(world: World) -> None:
    world.add_nodes("staging")
    staging = world.stack("staging")

    preview = staging.preview()
    assert set(preview.changes) == {"create"}
    # What is in a rendered chart is not in a preview whose Kubernetes provider has no address yet.
    assert staging.up().changes == {"create": preview.changes["create"] + len(brought_by_files())}
    assert staging.up().changed == {}
    assert set(staging.destroy().changed) == {"delete"}

    assert world.left("staging") == []
    below = [Group("*:Release", "karpenter-controller"), Group("aws:eks/nodeGroup:NodeGroup")]
    below += [Group("aws:eks/cluster:Cluster"), Group("aws:ec2/vpc:Vpc")]
    for pool in (item.name for item in world.stack_file("staging").settings.node_pools):
        assert violations(world.outside.entries(), "delete", *of_pool(pool), *below) == []
    routes, controller = (
        Group("kubernetes:gateway.networking.k8s.io/v1:HTTPRoute"),
        Group("*:Release", "gateway-envoy-gateway"),
    )
    for kinds in ("gateway-crds:*", "gateway-inference-crds:*"):
        found = Group(DEFINITION, kinds)
        assert violations(world.outside.entries(), "delete", routes, controller, found) == []
    for encrypted in ("aws:eks/cluster:Cluster", "aws:cloudwatch/logGroup:LogGroup"):
        assert violations(world.outside.entries(), "delete", Group(encrypted), Group("aws:kms/key:Key")) == []
