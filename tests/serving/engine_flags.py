"""Every engine flag that this repository uses: in plans of environments, examples and scenarios."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from components.serving.kserve_models.inference_service_spec import inference_service_spec
from components.serving.kserve_models.llm_spec import llm_inference_service_spec
from components.serving.model_server_spec import deployment_spec
from components.serving.multi_node.spec import set_spec
from infra.catalog.engines import FlagTable, argument_problems
from infra.conventions import ENGINE_LABEL
from infra.settings import ModelSettings, PlatformSettings, load_stack_file
from infra.settings.loading import PLATFORM_KEY
from stacks.kserve_layer import kserve_model_args
from stacks.multi_node_layer import multi_node_args
from stacks.workloads_layer import model_server_args
from tests.conftest import ROOT

# Where, the engine, and its arguments after the model.
Called = tuple[str, str, list[str]]


def stack_files() -> list[Path]:
    """Environments, and examples that are stacks of this program."""
    environments = sorted(ROOT.glob("Pulumi.*.yaml"))
    return [path for path in [*environments, *sorted(ROOT.glob("examples/*/Pulumi.*.yaml"))] if _is_whole(path)]


def scenario_files() -> list[Path]:
    """Objects and settings of scenarios."""
    return sorted((ROOT / "simulator" / "scenarios").glob("*.yaml"))


def called_in(path: Path) -> Iterator[Called]:
    """Engines that a stack, or a file of objects, calls."""
    documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    if any(isinstance(item, Mapping) and PLATFORM_KEY in (item.get("config") or {}) for item in documents):
        settings = load_stack_file(path).settings
        documents = [spec_of(model, settings) for model in settings.models]
    for document in documents:
        for engine, arguments in called(document):
            yield path.relative_to(ROOT).as_posix(), engine, arguments


def spec_of(model: ModelSettings, settings: PlatformSettings) -> Any:  # a dict, of a shape that the form has
    """The object that serves a model, in its form, by the builders that the program itself calls."""
    if model.nodes > 1:
        return set_spec(model.name, multi_node_args(model, settings))
    if model.kserve is None:
        return deployment_spec(model.name, model_server_args(model, settings))
    if model.kserve.runtime == "huggingface":
        return {}  # KServe's own server, whose flags are in infra/catalog/kserve.py
    builder = llm_inference_service_spec if model.kserve.kind == "LLMInferenceService" else inference_service_spec
    return builder(model.name, kserve_model_args(model, settings))


def called(body: Any) -> Iterator[tuple[str, list[str]]]:  # any part of an object
    """Engines in one object, wherever its pods are: the label stands beside the pod, or above it."""
    yield from _called(body, "")


def _called(body: Any, engine: str) -> Iterator[tuple[str, list[str]]]:
    if isinstance(body, Mapping):
        labels = {**_labels(body), **_labels(body.get("metadata")), **_labels(_inside(body))}
        engine = labels.get(ENGINE_LABEL, engine)
        for container in body.get("containers") or ():
            if engine and isinstance(container, Mapping) and container.get("args"):
                yield engine, _flags(list(container["args"]))
        for value in body.values():
            yield from _called(value, engine)
    elif isinstance(body, list):
        for value in body:
            yield from _called(value, engine)


def _labels(body: Any) -> Mapping[str, str]:
    labels = body.get("labels") if isinstance(body, Mapping) else None
    return labels if isinstance(labels, Mapping) else {}


def _inside(body: Mapping[str, Any]) -> Any:
    template = body.get("template")
    return template.get("metadata") if isinstance(template, Mapping) else None


def _flags(arguments: list[str]) -> list[str]:
    """Without the model, which is first where the engine takes it so."""
    return arguments if arguments[0].startswith("-") else arguments[1:]


def unknown(calls: list[Called], tables: Mapping[str, FlagTable]) -> list[str]:
    """Every flag that the version of its engine does not have, and every value that it refuses."""
    return [
        f"{where}: {problem.found}, accepted is {problem.accepted}"
        for where, engine, arguments in calls
        if engine in tables
        for problem in argument_problems(tables[engine], arguments)
    ]


def _is_whole(path: Path) -> bool:
    data = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return PLATFORM_KEY in (data.get("config") or {})
