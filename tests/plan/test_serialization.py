"""The plan as JSON: its format, its markers, its order."""

import json

from infra.plan import Marker, PlannedOptions, plan_as_json
from infra.plan.serialization import FORMAT_VERSION
from tests.plan.builders import plan, resource, urn


def test_the_format() -> None:
    """Machines read this; a change of it is a change of FORMAT_VERSION."""
    one = resource("one", inputs={"b": 1, "a": [True, 1.5, None]})
    two = resource(
        "two",
        "one",
        parent=urn("one"),
        provider=urn("one"),
        property_dependencies={"b": (urn("one"),)},
        options=PlannedOptions(protect=True, custom_timeouts={"create": "10m"}, ignore_changes=("data",)),
    )

    found = plan_as_json(plan(one, two, mode="stand-in", exports={"out": [1]}))

    assert FORMAT_VERSION == 1
    assert {key: value for key, value in found.items() if key != "resources"} == {
        "formatVersion": 1,
        "project": "gpu-platform",
        "stack": "test",
        "mode": "stand-in",
        "exports": {"out": [1]},
    }
    assert found["resources"][0] == {
        "urn": urn("one"),
        "type": "kubernetes:core/v1:ConfigMap",
        "name": "one",
        "custom": True,
        "remote": False,
        "read": False,
        "parent": None,
        "provider": None,
        "dependencies": [],
        "propertyDependencies": {},
        "options": {},
        "inputs": {"a": [True, 1.5, None], "b": 1},
    }
    assert found["resources"][1]["parent"] == urn("one")
    assert found["resources"][1]["dependencies"] == [urn("one")]
    assert found["resources"][1]["propertyDependencies"] == {"b": [urn("one")]}
    assert found["resources"][1]["options"] == {
        "protect": True,
        "customTimeouts": {"create": "10m"},
        "ignoreChanges": ["data"],
    }


def test_unknowns_and_secrets_are_objects_of_their_own_at_any_depth() -> None:
    inputs = {"list": [Marker.UNKNOWN, {"deep": Marker.SECRET}], "text": "<secret>"}

    found = plan_as_json(plan(resource("one", inputs=inputs), exports={"url": Marker.UNKNOWN}))

    assert found["resources"][0]["inputs"] == {
        "list": [{"$unknown": True}, {"deep": {"$secret": True}}],
        "text": "<secret>",
    }
    assert found["exports"] == {"url": {"$unknown": True}}
    assert json.loads(json.dumps(found)) == found


def test_keys_are_sorted_at_every_level() -> None:
    found = plan_as_json(plan(resource("one", inputs={"z": {"b": 1, "a": {"d": 1, "c": 1}}, "y": 1})))

    assert json.dumps(found["resources"][0]["inputs"]) == '{"y": 1, "z": {"a": {"c": 1, "d": 1}, "b": 1}}'
