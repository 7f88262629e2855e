"""The plan as text for people."""

from infra.plan import Marker, PlannedOptions, plan_as_tree
from tests.plan.builders import plan, resource, urn

POOL = "gpu-platform:index:GpuNodePool"
NODE_POOL = "kubernetes:karpenter.sh/v1:NodePool"


def test_a_small_tree() -> None:
    component = resource("l4", type_token=POOL, custom=False, inputs={})
    provider = resource("cluster", type_token="pulumi:providers:kubernetes", inputs={})
    first = resource("a", parent=urn("l4", POOL))
    second = resource("b", "a", parent=urn("l4", POOL), options=PlannedOptions(protect=True))
    third = resource(
        "c",
        "a",
        "b",
        inputs={"metadata": {"name": "named", "namespace": "models"}},
        options=PlannedOptions(
            retain_on_delete=True,
            delete_before_replace=True,
            ignore_changes=("spec",),
            custom_timeouts={"create": "10m"},
        ),
    )
    exports = {"list": ["x", Marker.UNKNOWN], "map": {"b": "y", "a": Marker.SECRET}, "none": [], "one": 1}

    text = plan_as_tree(plan(component, first, provider, second, third, exports=exports))

    assert text == (
        "gpu-platform, stack test\n"
        "├─ Provider kubernetes cluster\n"
        "├─ GpuNodePool l4\n"
        "│  ├─ ConfigMap a\n"
        "│  └─ ConfigMap b\n"
        "│          after ConfigMap a\n"
        "│          with protect\n"
        "└─ ConfigMap models/named\n"
        "        after ConfigMap b\n"
        "        with retain on delete, delete before replace, changes ignored in spec, timeouts create 10m\n"
        "\n"
        "Outputs\n"
        "  list: x, <known after up>\n"
        "  map: a <secret>, b y\n"
        "  none: none\n"
        "  one: 1\n"
        "\n"
        "4 resources: 3 ConfigMap, 1 Provider kubernetes\n"
    )


def test_a_plan_with_unknown_values_can_still_be_shown() -> None:
    """Summaries read deep into inputs; any of it may be unknown."""
    text = plan_as_tree(
        plan(
            resource("a", type_token="kubernetes:apps/v1:Deployment", inputs={"spec": Marker.UNKNOWN}),
            resource("b", type_token=NODE_POOL, inputs={"spec": {"template": Marker.UNKNOWN}}),
            resource(
                "c", type_token="kubernetes:core/v1:Service", inputs={"spec": {"type": Marker.UNKNOWN, "ports": []}}
            ),
            resource("d", type_token="kubernetes:policy/v1:PodDisruptionBudget", inputs={"spec": {"minAvailable": 1}}),
            resource("e", type_token="kubernetes:karpenter.k8s.aws/v1:EC2NodeClass", inputs={"spec": {}}),
        )
    )

    assert next(line for line in text.splitlines() if "─ " in line).startswith("├─ Deployment a")
    assert "5 resources" in text
    assert "Marker." not in text


def test_secrets_and_unknowns_are_shown_as_such_in_summaries() -> None:
    spec = {
        "replicas": 1,
        "template": {
            "spec": {
                "containers": [
                    {
                        "image": Marker.UNKNOWN,
                        "args": [Marker.UNKNOWN],
                        "resources": {"limits": {"nvidia.com/gpu": "1"}},
                    }
                ]
            }
        },
    }

    text = plan_as_tree(plan(resource("a", type_token="kubernetes:apps/v1:Deployment", inputs={"spec": spec})))

    assert "Marker." not in text
    assert "<known after up>" in text
