"""The examples in YAML and TypeScript against the package's schema and the contract; no language host runs them."""

import inspect
import json
import re
from typing import Any

import pulumi_kubernetes
import pytest
import yaml
from pulumi_kubernetes.core.v1 import Namespace

from components.package import NAME
from infra.versions import VLLM_IMAGE
from stacks.contract import CONTRACT_VERSION, OUTPUTS, VERSION_OUTPUT
from tests.conftest import ROOT
from tests.examples.package_schema import Expression, Json, package_schema, problems
from tests.examples.typescript import UnreadableError, constructor_calls

YAML_PROGRAM = ROOT / "examples" / "app-team-yaml" / "Pulumi.yaml"
TYPESCRIPT = ROOT / "examples" / "app-team-typescript"

CONTRACT = {VERSION_OUTPUT, *(output.name for output in OUTPUTS)}
REFERENCE = "pulumi:pulumi:StackReference"

# Types of other packages that the YAML program uses, with the SDK's classes, whose parameters are the inputs.
OTHERS: dict[str, Any] = {
    "pulumi:providers:kubernetes": pulumi_kubernetes.Provider,
    "kubernetes:core/v1:Namespace": Namespace,
}


@pytest.fixture(scope="module")
def schema() -> Json:
    return package_schema()


@pytest.fixture(scope="module")
def program() -> Json:
    parsed: Json = yaml.safe_load(YAML_PROGRAM.read_text(encoding="utf-8"))
    return parsed


@pytest.fixture(scope="module")
def index_ts() -> str:
    return (TYPESCRIPT / "index.ts").read_text(encoding="utf-8")


def with_expressions(value: Any, resources: Json) -> Any:
    """YAML values with each text that is one interpolation as an Expression."""
    if isinstance(value, dict):
        return {key: with_expressions(item, resources) for key, item in value.items()}
    if isinstance(value, list):
        return [with_expressions(item, resources) for item in value]
    whole = re.fullmatch(r"\$\{([\w-]+)[^}]*\}", value) if isinstance(value, str) else None
    return Expression(value, output=whole.group(1) in resources) if whole else value


def yaml_problems(schema: Json, program: Json) -> list[str]:
    """What of the components in a YAML program the schema does not allow."""
    resources = program["resources"]
    return [
        problem
        for resource in resources.values()
        if resource["type"].startswith(f"{NAME}:")
        for problem in problems(schema, resource["type"], with_expressions(resource["properties"], resources))
    ]


def typescript_problems(schema: Json, text: str) -> list[str]:
    """What of the components in a TypeScript program the schema does not allow."""
    return [
        problem
        for kind, arguments in constructor_calls(text, "gpu")
        for problem in problems(schema, f"{NAME}:index:{kind}", arguments[1])
    ]


def test_the_yaml_program_fits_the_schema(schema: Json, program: Json) -> None:
    types = [resource["type"] for resource in program["resources"].values()]

    assert f"{NAME}:index:ModelServer" in types
    assert set(types) <= {*schema["resources"], *OTHERS, REFERENCE}
    assert yaml_problems(schema, program) == []
    assert NAME in program["packages"]


def test_the_other_resources_of_the_yaml_program_take_what_they_are_given(program: Json) -> None:
    for resource in program["resources"].values():
        if resource["type"] in OTHERS:
            known = inspect.signature(OTHERS[resource["type"]]._internal_init).parameters
            snake = {re.sub("([A-Z])", r"_\1", name).lower() for name in resource["properties"]}
            assert snake <= known.keys()


def test_the_yaml_program_reads_the_contract_and_what_it_declares(schema: Json, program: Json) -> None:
    resources, text = program["resources"], YAML_PROGRAM.read_text(encoding="utf-8")
    references = {name for name, resource in resources.items() if resource["type"] == REFERENCE}

    read = re.findall(r'\$\{([\w-]+)\.outputs\["(\w+)"\]\}', text)
    assert {stack for stack, _ in read} == references
    assert {output for _, output in read} <= CONTRACT
    assert {"kubeconfig", "clusterName", "nodePools"} <= {output for _, output in read}
    assert set(re.findall(r"\$\{([\w-]+)", text)) <= {*resources, *program["config"]}
    assert set(re.findall(r"\$\{server\.(\w+)\}", text)) <= output_names(schema)


def output_names(schema: Json) -> set[str]:
    return set(schema["resources"][f"{NAME}:index:ModelServer"]["properties"])


def test_the_typescript_program_fits_the_schema(schema: Json, index_ts: str) -> None:
    assert [kind for kind, _ in constructor_calls(index_ts, "gpu")] == ["ModelServer"]
    assert typescript_problems(schema, index_ts) == []
    assert set(re.findall(r"\bserver\.(\w+)", index_ts)) <= output_names(schema)


def test_the_typescript_program_reads_the_contract(index_ts: str) -> None:
    read = re.findall(r'\.requireOutput\("(\w+)"\)', index_ts)

    assert len(read) == len(re.findall(r"[oO]utput\w*\(", index_ts))  # no other way of reading, no computed name
    assert set(read) <= CONTRACT
    assert {"kubeconfig", "clusterName", "nodePools", VERSION_OUTPUT} <= set(read)
    assert f"const CONTRACT_VERSION = {CONTRACT_VERSION};" in index_ts


def test_the_typescript_program_depends_on_what_it_imports(index_ts: str) -> None:
    depends = json.loads((TYPESCRIPT / "package.json").read_text())["dependencies"]

    assert set(re.findall(r'from "([^"]+)"', index_ts)) == set(depends)
    assert NAME in yaml.safe_load((TYPESCRIPT / "Pulumi.yaml").read_text())["packages"]


def test_pins_are_the_projects(index_ts: str, program: Json) -> None:
    depends = json.loads((TYPESCRIPT / "package.json").read_text())["dependencies"]
    pins = dict(re.findall(r"^([\w-]+)==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE))

    assert program["resources"]["server"]["properties"]["pod"]["image"] == VLLM_IMAGE
    assert f'image: "{VLLM_IMAGE}"' in index_ts
    assert depends["@pulumi/pulumi"] == pins["pulumi"]
    assert depends["@pulumi/kubernetes"] == pins["pulumi-kubernetes"]


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("cacheGib:", "cachGib:", "ModelServer.pod.cachGib is unknown"),
        ("cacheGib:", "cachGib:", "ModelServer.pod.cacheGib is missing"),
        ("replicas: 2", 'replicas: "2"', "ModelServer.replicas is str, not integer"),
        ("replicas: 2", "replicas: 2.5", "ModelServer.replicas is float, not integer"),
        ("spotAllowed: false", "spotAllowed: 0", "ModelServer.pod.spotAllowed is int, not boolean"),
        ("cpu: 6", 'tolerations: [{key: "a"}], cpu: 6', "ModelServer.pod.tolerations[0].effect is missing"),
        ("gpu.ModelServer", "gpu.ModelServe", "no component gpu-platform:index:ModelServe"),
    ],
)
def test_a_mistake_in_typescript_is_found(before: str, after: str, problem: str, schema: Json, index_ts: str) -> None:
    assert before in index_ts

    assert any(found.endswith(problem) for found in typescript_problems(schema, index_ts.replace(before, after)))


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("nodePools", '${platform.outputs["nodePools"]}', "ModelServer.pod.nodePools is plain and takes no output"),
        ("nodePools", [1], "ModelServer.pod.nodePools[0] is int, not string"),
        ("memoryGiB", 51, "ModelServer.pod.memoryGiB is unknown"),
        ("tokenSecret", {"name": "x"}, "ModelServer.pod.tokenSecret.key is missing"),
    ],
)
def test_a_mistake_in_yaml_is_found(name: str, value: Any, problem: str, schema: Json, program: Json) -> None:
    server = program["resources"]["server"]
    given = server["properties"]
    wrong = {**server, "properties": {**given, "pod": {**given["pod"], name: value}}}

    found = yaml_problems(schema, {"resources": {**program["resources"], "server": wrong}})

    assert any(problem in one for one in found)


def test_the_reader_refuses_what_it_does_not_know() -> None:
    with pytest.raises(UnreadableError):
        list(constructor_calls("new gpu.X('a', { ...rest })", "gpu"))


def test_the_reader_reads_literals_and_leaves_the_rest_as_expressions() -> None:
    text = """new gpu.X(`a`, { a: [1, "b,}"], c: f({x: 1}, 2), /* { */ d, "e-f": { g: true }, }, { parent })"""

    assert list(constructor_calls(text, "gpu")) == [
        (
            "X",
            [
                Expression("`a`"),
                {"a": [1, "b,}"], "c": Expression("f({x:1},2)"), "d": Expression("d"), "e-f": {"g": True}},
                {"parent": Expression("parent")},
            ],
        )
    ]
