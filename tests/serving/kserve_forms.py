"""Every form in which KServe serves a model, every setting a model has, and what the one makes of the other."""

import copy
import json
from collections.abc import Iterator
from typing import Any, get_args

from components.serving.kserve_models.inference_service_spec import (
    inference_service_annotations,
    inference_service_spec,
)
from components.serving.kserve_models.llm_spec import llm_inference_service_spec
from components.serving.kserve_models.model import budget_spec
from components.serving.kserve_models.policies import picker_policy, server_policy
from infra.settings import ModelSettings, PlatformSettings
from infra.settings.canary import with_canaries
from infra.settings.values import Settings
from stacks.kserve_layer import kserve_model_args
from tests.serving.kserve_example import Json

_STANDARD: Json = {"kind": "InferenceService", "mode": "Standard"}
_KNATIVE: Json = {"kind": "InferenceService", "mode": "Knative"}
_LLM: Json = {"kind": "LLMInferenceService"}

# What differs between the forms; the rest of the model is the same in all of them.
FORMS: dict[str, Json] = {
    "standard": {"kserve": _STANDARD},
    "standard-tgi": {"kserve": _STANDARD, "engine": "tgi", "engineOptions": {"unconfirmed": "accept"}},
    "standard-huggingface": {"kserve": {**_STANDARD, "runtime": "huggingface"}},
    "knative": {"kserve": {**_KNATIVE, "maxReplicas": 6}},
    "knative-tgi": {
        "kserve": {**_KNATIVE, "maxReplicas": 6}, "engine": "tgi", "engineOptions": {"unconfirmed": "accept"},
    },
    "knative-huggingface": {"kserve": {**_KNATIVE, "maxReplicas": 6, "runtime": "huggingface"}},
    "llm": {"kserve": _LLM},
    "llm-prefill": {"kserve": {**_LLM, "prefill": {"replicas": 1}}},
}  # fmt: skip

# Settings that are taken as one: what is in them is another component's, or only about an engine of one's own.
_WHOLE = {"expose", "custom"}


def base(form: str) -> Json:
    """A model in this form, as it stands in the settings."""
    model: Json = {
        "name": "served",
        "model": "Qwen/Qwen3-8B",
        "traffic": "interactive",
        "nodePools": ["inference-l40s"],
        "tensorParallel": 2,
        "maxModelLen": 8192,
        "drain": {"shutdownTimeoutSeconds": 30},
    }
    return merged(model, FORMS[form])


def merged(into: Json, more: Json) -> Json:
    """`into` with `more` laid over it, objects into objects."""
    result = copy.deepcopy(into)
    for key, value in more.items():
        inner = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if inner else copy.deepcopy(value)
    return result


def settings_of_models(kind: type[Settings] = ModelSettings, before: str = "") -> Iterator[str]:
    """Every setting of a model by its path in the file, such as `drain.preStopSeconds`."""
    for name, field in kind.model_fields.items():
        path = f"{before}{field.alias or name}"
        inner = [item for item in (field.annotation, *get_args(field.annotation)) if _holds_settings(item)]
        if inner and path not in _WHOLE:
            yield from settings_of_models(inner[0], f"{path}.")
        else:
            yield path


def rendered(settings: PlatformSettings) -> str:
    """All that KServe and Kubernetes are told of the first model, as text."""
    model = with_canaries(settings).models[0]
    args: Any = kserve_model_args(model, settings)
    llm = args["kind"] == "LLMInferenceService"
    made = {
        "name": model.name,
        "namespace": args["namespace"],
        "annotations": None if llm else inference_service_annotations(args),
        "spec": (llm_inference_service_spec if llm else inference_service_spec)(model.name, args),
        "policies": [server_policy(model.name, args), *([picker_policy(model.name, args)] if llm else [])],
        "budget": budget_spec(model.name, args["kind"]),
    }
    return json.dumps(made, indent=1, sort_keys=True)


def _holds_settings(item: Any) -> bool:  # any annotation
    return isinstance(item, type) and issubclass(item, Settings)
