"""What a model that KServe serves may ask for: fields that its kind and mode read, numbers that fit."""

from collections.abc import Iterator
from dataclasses import replace

from infra.errors import Problem
from infra.planning.kserve import HUGGING_FACE_DRAIN_SECONDS, longest_knative_drain, revision_timeout_seconds
from infra.planning.kserve import KNATIVE_LONGEST_TIMEOUT_SECONDS as LONGEST
from infra.settings.checks.draft import Draft
from infra.settings.checks.engine_files import names_apart
from infra.settings.checks.nearest_size import divides, in_numbers
from infra.settings.kserve import KServeModelSettings
from infra.settings.models import ModelSettings
from infra.settings.rooms import prefill_servers

_KNATIVE_ONLY = {
    "min_replicas": ("minReplicas", "write `replicas` of the model"),
    "max_replicas": ("maxReplicas", "write `replicas` of the model"),
    "container_concurrency": ("containerConcurrency", "remove it; an engine has admission limits of its own"),
}
# How to come to mode Knative, by kind: an LLMInferenceService has no mode.
_KNATIVE = {"InferenceService": "mode: Knative", "LLMInferenceService": "kind: InferenceService with mode: Knative"}
_LLM_ONLY = {"prefill": "prefill", "lora": "lora", "route": "route", "scheduler": "scheduler"}


def _served(draft: Draft) -> Iterator[tuple[str, ModelSettings, KServeModelSettings]]:
    for index, model in draft.models:
        if model.kserve:
            yield f"models[{index}].kserve", model, model.kserve


def mode_is_written(draft: Draft) -> Iterator[Problem]:
    """KServe's chart defaults to Knative, its code to Standard: a mode that nobody wrote is a surprise."""
    for path, _, kserve in _served(draft):
        if kserve.kind == "InferenceService" and kserve.mode is None:
            yield Problem(
                f"{path}.mode",
                "nothing",
                "Standard or Knative: KServe's chart and KServe's code have different defaults",
                "write mode: Standard",
            )
        if kserve.kind == "LLMInferenceService" and kserve.mode is not None:
            yield Problem(
                f"{path}.mode",
                f'"{kserve.mode}"',
                "nothing: an LLMInferenceService has no mode",
                "remove it, or write kind: InferenceService",
            )


def canary_is_read(draft: Draft) -> Iterator[Problem]:
    """Only the Knative reconciler reads the field (KServe 0.20.0, reconcilers/knative/ksvc_reconciler.go)."""
    for path, model, kserve in _served(draft):
        share = kserve.canary_traffic_percent
        if share is not None and not _on_knative(kserve):
            where = f"mode {kserve.mode}" if kserve.mode else f"kind {kserve.kind}"
            yield Problem(
                f"{path}.canaryTrafficPercent",
                f"{share} in {where}",
                "this field in mode Knative only: elsewhere KServe ignores it, and every request meets the new version",
                f"write {_KNATIVE[kserve.kind]}, or serve the new version as a model beside {model.name} and give it"
                f" {share} of 100 by the weights of a gateway route",
            )


def fields_are_read(draft: Draft) -> Iterator[Problem]:
    """Everything else that one kind or mode reads and the other ignores."""
    for path, _, kserve in _served(draft):
        for field, (key, instead) in _KNATIVE_ONLY.items():
            value = getattr(kserve, field)
            if value is not None and not _on_knative(kserve):
                yield Problem(f"{path}.{key}", str(value), "this field in mode Knative only", instead)
        if kserve.kind == "LLMInferenceService":
            if kserve.runtime is not None:
                accepted = "nothing: an LLMInferenceService has no runtime, its pods run the model's engine"
                yield Problem(f"{path}.runtime", f'"{kserve.runtime}"', accepted, "remove it")
            continue
        for field, key in _LLM_ONLY.items():
            if field in kserve.model_fields_set:
                yield Problem(
                    f"{path}.{key}",
                    "given with kind InferenceService",
                    "this field with kind LLMInferenceService only",
                    "write kind: LLMInferenceService, or remove it",
                )


def engine_fits(draft: Draft) -> Iterator[Problem]:
    """The server is one that the model's engine is."""
    for path, model, kserve in _served(draft):
        if kserve.kind == "LLMInferenceService" and model.engine != "vllm":
            accepted = "kind InferenceService: the templates of an LLMInferenceService start vLLM"
            yield Problem(f"{path}.kind", f'"{kserve.kind}" with engine {model.engine}', accepted, "write engine: vllm")
        wanted = "vllm" if kserve.runtime == "huggingface" else kserve.runtime
        if wanted and wanted != model.engine:
            yield Problem(
                f"{path}.runtime",
                f'"{kserve.runtime}" with engine {model.engine}',
                f"the model's engine, or huggingface with engine vllm ({kserve.runtime} runs {wanted})",
                f"write engine: {wanted}, or remove runtime",
            )
        if kserve.runtime is None and kserve.kind == "InferenceService" and model.engine not in {"vllm", "tgi"}:
            accepted = "engine vllm or tgi, the runtimes of KServe that are described here"
            yield Problem(f"{path}.kind", f"engine {model.engine}", accepted, "remove kserve: a Deployment serves it")


def replicas_in_order(draft: Draft) -> Iterator[Problem]:
    """A revision begins with `replicas`, and stays between the fewest and the most."""
    for path, model, kserve in _served(draft):
        if not _on_knative(kserve):
            continue
        least = model.replicas if kserve.min_replicas is None else kserve.min_replicas
        most = kserve.max_replicas or max(model.replicas, 1)
        if least > most:
            yield Problem(
                f"{path}.maxReplicas", str(most), f"at least {least}, the fewest servers", f"write {least} or more"
            )
        elif "replicas" in model.model_fields_set and not least <= model.replicas <= most:
            yield Problem(
                f"{path.removesuffix('.kserve')}.replicas",
                f"{model.replicas}, with which a revision would begin",
                f"between {least} and {most}, minReplicas and maxReplicas of mode Knative",
                f"write {least if model.replicas < least else most}, or leave it out",
            )


def revisions_outlive_requests(draft: Draft) -> Iterator[Problem]:
    """Knative bounds a request and the end of a pod by one number, and caps that number."""
    for index, model in draft.models:
        kserve = model.kserve
        if kserve and _on_knative(kserve):
            timeout = revision_timeout_seconds(model.drain.shutdown_timeout_seconds)
            if timeout > LONGEST:
                longest = longest_knative_drain()
                yield Problem(
                    f"models[{index}].drain.shutdownTimeoutSeconds",
                    f"{model.drain.shutdown_timeout_seconds}, which makes {timeout} s of a revision's time-out",
                    f"at most {longest} in mode Knative, whose longest time-out is {LONGEST} s",
                    f"write {longest}, or mode: Standard",
                )


def hugging_face_drains(draft: Draft) -> Iterator[Problem]:
    """KServe's Python server gives running requests a fixed time; there is no flag for it."""
    for index, model in draft.models:
        wanted = model.drain.shutdown_timeout_seconds
        if model.kserve and model.kserve.runtime == "huggingface" and wanted > HUGGING_FACE_DRAIN_SECONDS:
            yield Problem(
                f"models[{index}].drain.shutdownTimeoutSeconds",
                str(wanted),
                f"at most {HUGGING_FACE_DRAIN_SECONDS}: KServe's Hugging Face server cuts what still runs after that,"
                " and has no setting for it",
                f"write {HUGGING_FACE_DRAIN_SECONDS}, or runtime: vllm",
            )


def prefill_fits_node(draft: Draft) -> Iterator[Problem]:
    """A prefill server is the model's own but for tensorParallel: with it, all its GPUs are one node's and each has
    equally many heads."""
    for path, model, kserve in _served(draft):
        alike, pools = prefill_servers(model), draft.pools_of(model)
        if alike is None or not kserve.prefill or len(pools) < len(set(model.node_pools)) or alike.nodes > 1:
            continue
        key, size = f"{path}.prefill.tensorParallel", alike.size
        largest = 1 if any(pool.partition for pool in pools) else max(pool.largest_gpu_count for pool in pools)
        possible = [
            cut
            for number in range(1, largest // (size.gpus // size.tensor_parallel) + 1)
            if divides(alike, cut := replace(size, tensor_parallel=number))
        ]
        near = min(possible, key=lambda cut: abs(cut.tensor_parallel - size.tensor_parallel), default=None)
        mend = f"write {near.tensor_parallel}" if near else "name a pool with larger nodes"
        if kserve.prefill.tensor_parallel is None:
            continue  # as the model's own, of which it is said
        if size.gpus > largest:
            gpus = f"{largest} GPU{'s' if largest > 1 else ''}"
            accepted = f"at most {gpus}, those of the largest node of {', '.join(model.node_pools)}"
            found = str(size.tensor_parallel) if size.gpus == size.tensor_parallel else in_numbers(size)
            yield Problem(key, found, accepted, mend)
        elif size.gpus > 1 and alike.shape and not divides(alike, size):
            accepted = f"a divisor of the {alike.shape.attention_heads} attention heads" + (
                f" and a divisor or multiple of the {alike.shape.kv_heads} key-value heads"
                if alike.shape.kv_heads and "MLA" not in alike.shape.attention
                else ""
            )
            yield Problem(key, str(size.tensor_parallel), f"{accepted} of {alike.shape_of or alike.model}", mend)


def routes_have_a_gateway(draft: Draft) -> Iterator[Problem]:
    if draft.kserve is None or draft.kserve.gateway is not None:
        return
    for path, _, kserve in _served(draft):
        if kserve.route:
            accepted = "false, or a Gateway under kserve.gateway that the route can name"
            yield Problem(f"{path}.route", "true", accepted, "add kserve: {gateway: {namespace: ..., name: ...}}")


def adapters_can_be_had(draft: Draft) -> Iterator[Problem]:
    """KServe fetches and mounts adapters only where it fetches the model too (enumerateLoRAAdapters in
    workload_lora.go), which a model with a store of ours does without."""
    for path, model, kserve in _served(draft):
        for position, adapter in enumerate(kserve.lora.adapters if kserve.lora else ()):
            if model.weights:
                yield Problem(
                    f"{path}.lora.adapters[{position}].uri",
                    f'"{adapter.uri}" beside weights: {model.weights}',
                    "no adapters of KServe's beside a store: it fetches and mounts them only with the model",
                    "remove weights, or write engineOptions.loraAdapters with a path in the image",
                )


def adapters_have_names(draft: Draft) -> Iterator[Problem]:
    """Requests choose by name: the model, or one of its adapters."""
    for path, model, kserve in _served(draft):
        names = [adapter.name for adapter in kserve.lora.adapters] if kserve.lora else []
        yield from names_apart(f"{path}.lora.adapters", model.name, names)


def _on_knative(kserve: KServeModelSettings) -> bool:
    return kserve.kind == "InferenceService" and kserve.mode == "Knative"
