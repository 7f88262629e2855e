"""Names that must differ, wherever the objects of that name are."""

import copy

import pytest
from pydantic import TypeAdapter

from infra.errors import InputError
from infra.settings import ModelSettings, parse_settings
from infra.settings.canary import canary_of
from tests.settings.engine_samples import Raw, only, raw


def two(**other: object) -> Raw:
    data = raw()
    data["models"].append({**copy.deepcopy(data["models"][0]), **other})
    return data


def test_a_model_of_the_same_name_in_another_namespace_is_refused() -> None:
    """Both would have one URN, and the preview would end with a traceback."""
    problem = only(two(namespace="elsewhere"))

    assert problem.path == "models[1].name"
    assert problem.found == '"qwen"'
    assert "models[0].name has it" in problem.accepted
    assert "in any namespace" in problem.accepted


def test_another_name_in_another_namespace_passes() -> None:
    assert len(parse_settings(two(namespace="elsewhere", name="other")).models) == 2


def test_a_canary_has_a_name_too() -> None:
    data = two(namespace="elsewhere", name="another")
    data["models"][0]["canary"] = {"maxModelLen": 8192}
    model = TypeAdapter(ModelSettings).validate_python(data["models"][0])
    data["models"][1]["name"] = canary_of(model).name
    with pytest.raises(InputError) as caught:
        parse_settings(data)

    assert [item.path for item in caught.value.problems if canary_of(model).name in item.found] == ["models[0].canary"]
