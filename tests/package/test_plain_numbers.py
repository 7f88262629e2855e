"""Whole numbers stay whole on their way from another language into a component."""

from types import MappingProxyType
from typing import Any

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.package import provider
from components.plain_numbers import whole_floats_as_ints
from infra.plan import Plan
from tests.evaluation.programs import run

JSON = st.recursive(
    st.none() | st.booleans() | st.text() | st.integers(-(2**53), 2**53),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)

# As a YAML or TypeScript program sends it: camelCase, every number a float.
SERVER: dict[str, Any] = {
    "namespace": "support-bot",
    "replicas": 2.0,
    "engine": {
        "model": "Qwen/Qwen3-8B",
        "tensorParallel": 2.0,
        "maxModelLen": 16384.0,
        "gpuMemoryUtilization": 0.9,
    },
    "pod": {
        "image": "docker.io/vllm/vllm-openai:v0.33.0",
        "nodePools": ["inference-l40s"],
        "spotAllowed": False,
        "startupSeconds": 1200.0,
        "preStopSeconds": 15.0,
        "shutdownTimeoutSeconds": 90.0,
        "cpu": 6.0,
        "memoryGib": 48.0,
        "cacheGib": 28.0,
        "sharedMemoryGib": 8.0,
    },
}


def as_on_the_wire(value: Any) -> Any:
    """What the protocol makes of plain data: every number a float."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return float(value)
    if isinstance(value, dict):
        return {key: as_on_the_wire(item) for key, item in value.items()}
    return [as_on_the_wire(item) for item in value] if isinstance(value, list) else value


def shape(value: Any) -> Any:
    """`value` with the type of each scalar beside it, since 1 == 1.0 == True."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return [shape(item) for item in value] if isinstance(value, list) else (type(value), value)


@given(JSON)
def test_plain_data_survives_the_wire(data: Any) -> None:
    assert shape(whole_floats_as_ints(as_on_the_wire(data))) == shape(data)


@pytest.mark.parametrize("number", [0.92, -0.5, float("inf")])
def test_other_numbers_stay_floats(number: float) -> None:
    assert shape(whole_floats_as_ints([number])) == shape([number])


def test_what_is_not_plain_data_stays_the_same_object() -> None:
    text = pulumi.StringAsset("3.0")

    assert whole_floats_as_ints(MappingProxyType({"asset": text}))["asset"] is text


def test_outputs_stay_the_same_object() -> None:
    seen = []

    def program() -> None:
        output = pulumi.Output.from_input(3.0)
        seen.append(whole_floats_as_ints({"a": [output]})["a"][0] is output)

    run(program)

    assert seen == [True]


def constructed() -> Plan:
    """The plan of a model server that a program in another language asks for."""
    return run(lambda: provider().construct("bot", "gpu-platform:index:ModelServer", SERVER), "stand-in")


def test_a_server_from_another_language_has_whole_numbers_in_its_texts() -> None:
    (deployment,) = constructed().of_type("kubernetes:apps/v1:Deployment")

    spec: Any = deployment.inputs["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    assert "--tensor-parallel-size=2" in container["args"]
    assert "--max-model-len=16384" in container["args"]
    assert "--gpu-memory-utilization=0.9" in container["args"]
    assert container["resources"]["requests"] == {
        "cpu": "6",
        "memory": "56Gi",
        "ephemeral-storage": "28Gi",
        "nvidia.com/gpu": "2",
    }
    assert {"name": "VLLM_ENGINE_READY_TIMEOUT_S", "value": "1200"} in container["env"]
    # A rollout replaces two servers, each with twenty minutes to start, a node to wait for, and the end of another.
    assert deployment.options.custom_timeouts == {"create": "4430s", "update": "4430s"}
