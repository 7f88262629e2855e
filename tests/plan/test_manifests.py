"""The Kubernetes half of a plan as manifests."""

import pytest

from infra.errors import PlatformError
from infra.plan import Marker, kubernetes_manifests
from tests.plan.builders import plan, resource, urn


def test_manifests_keep_the_order_of_the_plan_and_leave_out_what_is_no_object() -> None:
    provider = resource("cluster", type_token="pulumi:providers:kubernetes", inputs={"context": "x"})
    component = resource("pool", type_token="gpu-platform:index:GpuNodePool", custom=False, inputs={})
    bucket = resource("bucket", type_token="aws:s3/bucket:Bucket", inputs={"apiVersion": "no"})
    chart = resource("chart", type_token="kubernetes:helm.sh/v3:Release", inputs={"chart": "kueue"})

    found = kubernetes_manifests(plan(resource("b"), provider, component, bucket, chart, resource("a")))

    assert [(item.kind, item.name, item.urn) for item in found] == [
        ("ConfigMap", "b", urn("b")),
        ("ConfigMap", "a", urn("a")),
    ]


def test_a_manifest_says_what_it_is() -> None:
    inputs = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "qwen", "namespace": "models"}}

    (found,) = kubernetes_manifests(plan(resource("x", inputs=inputs)))

    assert (found.api_version, found.kind, found.namespace, found.name) == ("apps/v1", "Deployment", "models", "qwen")
    assert str(found) == "Deployment models/qwen"
    assert found.body == inputs
    (cluster_wide,) = kubernetes_manifests(plan(resource("x")))
    assert (cluster_wide.namespace, str(cluster_wide)) == ("", "ConfigMap x")


def test_an_unknown_is_refused_by_its_path() -> None:
    inputs = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "x"},
        "data": {"hosts": ["a", Marker.UNKNOWN]},
    }

    with pytest.raises(PlatformError, match=r"data\.hosts\[1\] is only known after up") as caught:
        kubernetes_manifests(plan(resource("x", inputs=inputs)))
    assert urn("x") in str(caught.value)
    assert "stand-in" in caught.value.mend


def test_a_secret_is_redacted_and_still_text() -> None:
    inputs = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "x"},
        "stringData": {"token": Marker.SECRET},
    }

    (found,) = kubernetes_manifests(plan(resource("x", inputs=inputs)))

    assert found.body["stringData"] == {"token": "redacted"}


def test_a_secret_in_data_is_still_base64() -> None:
    """An API server refuses a Secret whose `data` does not decode."""
    import base64

    inputs = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "data": {"token": Marker.SECRET}}

    (found,) = kubernetes_manifests(plan(resource("x", inputs=inputs)))

    assert base64.b64decode(found.body["data"]["token"], validate=True)


@pytest.mark.parametrize("metadata", [None, {}, {"namespace": "a"}, {"name": ""}, "text"])
def test_an_object_without_an_explicit_name_is_refused(metadata: object) -> None:
    inputs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}

    with pytest.raises(PlatformError, match=r"has no metadata\.name"):
        kubernetes_manifests(plan(resource("x", inputs=inputs)))
