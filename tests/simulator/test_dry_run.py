"""Asking a real API server what it refuses."""

import pytest

from infra.errors import PlatformError
from simulator.apply import apply, dry_run
from simulator.client import Client
from simulator.state import ObjectKey
from tests.embedded import Listener
from tests.simulator.manifests import deployment, ec2_node_class, gpu_pod, manifest, node_pool, small_plan


def test_a_sound_plan_is_accepted_and_not_stored(control_plane: Client, listener: Listener) -> None:
    assert dry_run(control_plane, small_plan(), listener) == []
    assert not control_plane.exists("/apis/karpenter.sh/v1/nodepools/gpu")
    assert not control_plane.exists("/apis/apps/v1/namespaces/llm/deployments/qwen")


def test_every_rejection_is_collected_with_the_servers_words(control_plane: Client, listener: Listener) -> None:
    plan = [
        ec2_node_class(instanceProfile="both"),
        node_pool("static", replicas=2, weight=10),
        deployment("good", gpu_pod(), namespace="not-there-yet"),
        manifest(
            "apps/v1", "Deployment", "misspelt", "llm", spec={**deployment("x", gpu_pod()).body["spec"], "replica": 2}
        ),
        manifest("keda.sh/v1", "ScaledThing", "unknown", "llm", spec={}),
        manifest("v1", "Pod", "negative", "llm", spec={"containers": [{"name": "NotALabel", "image": "a"}]}),
    ]

    found = {item.manifest.name: item for item in dry_run(control_plane, plan, listener)}

    assert list(found) == ["gpu", "static", "misspelt", "unknown", "negative"]
    assert "must specify exactly one of ['role', 'instanceProfile']" in found["gpu"].message
    assert "weight" in found["static"].message
    assert found["static"].status == 422
    assert "replica" in found["misspelt"].message
    assert "does not serve kind ScaledThing of keda.sh/v1" in found["unknown"].message
    assert "NotALabel" in found["negative"].message


def test_objects_of_a_crd_in_the_plan_are_judged_by_it(control_plane: Client, listener: Listener) -> None:
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer", "maximum": 3}}}},
    }
    definition = manifest(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "widgets.example.com",
        spec={
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    )
    plan = [
        definition,
        manifest("example.com/v1", "Widget", "small", "llm", spec={"size": 1}),
        manifest("example.com/v1", "Widget", "large", "llm", spec={"size": 4}),
    ]

    found = dry_run(control_plane, plan, listener)

    assert [item.manifest.name for item in found] == ["large"]
    assert "spec.size" in found[0].message


def test_a_real_apply_stops_at_the_refused_object_and_has_recorded_what_it_touched(
    control_plane: Client, listener: Listener
) -> None:
    recorded: list[ObjectKey] = []
    plan = [
        manifest("v1", "ConfigMap", "first", "made-on-the-way", data={"a": "b"}),
        ec2_node_class("refused", instanceProfile="both"),
        manifest("v1", "ConfigMap", "never", "made-on-the-way"),
    ]

    with pytest.raises(PlatformError, match=r"the API server refuses EC2NodeClass refused: .*exactly one of"):
        apply(control_plane, plan, listener, recorded.append)

    assert [str(key) for key in recorded] == [
        "Namespace made-on-the-way",
        "ConfigMap made-on-the-way/first",
        "EC2NodeClass refused",
    ]
    assert control_plane.exists("/api/v1/namespaces/made-on-the-way/configmaps/first")
    assert not control_plane.exists("/api/v1/namespaces/made-on-the-way/configmaps/never")
