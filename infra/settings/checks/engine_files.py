"""What an engine reads beside a model's weights: adapters, draft models and files of one's own."""

from collections.abc import Iterator, Sequence

from infra.catalog.engines import VLLM
from infra.catalog.models import model_shapes
from infra.errors import Problem
from infra.settings.checks.draft import Draft

# Methods of speculative decoding that look at the prompt alone (vLLM 0.33 config/speculative.py; SGLang 0.5.23).
_WITHOUT_DRAFT = ("ngram", "ngram_gpu", "suffix", "mtp")
_WITH_DRAFT = ("draft_model", "eagle", "eagle3", "standalone")

# Stores that leave the files of a model repository to the user; the others hold a checkpoint.
_OWN_FILES = ("storage-class", "oci-image")


def adapters_fit(draft: Draft) -> Iterator[Problem]:
    """LoRA adapters have names of their own and can be had."""
    for index, model in draft.models:
        options, path = model.engine_options, f"models[{index}].engineOptions"
        if not options.lora_adapters:
            for setting, value in (("maxLoras", options.max_loras), ("maxLoraRank", options.max_lora_rank)):
                if value is not None:
                    found = f"{value} without adapters"
                    yield Problem(f"{path}.{setting}", found, "a value beside loraAdapters only", "remove it")
        yield from names_apart(f"{path}.loraAdapters", model.name, [adapter.name for adapter in options.lora_adapters])
        for position, adapter in enumerate(options.lora_adapters):
            place = f"{path}.loraAdapters[{position}]"
            if model.weights and not adapter.source.startswith("/"):
                yield Problem(
                    f"{place}.source",
                    f'"{adapter.source}", a repository, with weights: {model.weights}',
                    "a path: a server that mounts its weights asks the Hub for nothing",
                    "put the adapter into the image or the store, or remove weights",
                )


def names_apart(path: str, model: str, adapters: Sequence[str]) -> Iterator[Problem]:
    """Adapters that are called like their model or like one before.

    Args:
        path: of the list of adapters.
        adapters: their names, in order.
    """
    for position, name in enumerate(adapters):
        if name in (model, *adapters[:position]):
            accepted = "a name that neither the model nor another adapter has: requests choose by it"
            yield Problem(f"{path}[{position}].name", f'"{name}"', accepted, "rename it")


def drafts_fit(draft: Draft) -> Iterator[Problem]:
    """A draft model is named where the method has one, can be had, and reads as far as the model."""
    for index, model in draft.models:
        chosen = model.engine_options.speculative
        if chosen is None:
            continue
        path, method = f"models[{index}].engineOptions.speculative", chosen.method.lower()
        if chosen.model is None and method in _WITH_DRAFT:
            yield Problem(f"{path}.model", "nothing", f"a draft model, which {chosen.method} needs", "name one")
        if chosen.model is None:
            continue
        if method in _WITHOUT_DRAFT:
            accepted = f"no draft model: {chosen.method} needs none"
            yield Problem(f"{path}.model", f'"{chosen.model}"', accepted, "remove it, or write draft_model")
        if model.weights and not chosen.model.startswith("/"):
            yield Problem(
                f"{path}.model",
                f'"{chosen.model}", a repository, with weights: {model.weights}',
                "a path: a server that mounts its weights asks the Hub for nothing",
                "put the draft model into the image or the store, or remove weights",
            )
        if model.known_draft_gib is None and not model.weights and method not in _WITHOUT_DRAFT:
            yield Problem(
                f"{path}.model",
                f'"{chosen.model}"',
                "a draft model whose size the catalogue knows, or checkpointGib beside it: a server whose cache is too"
                " small for it is evicted at each start",
                "add checkpointGib, the size of its files in GiB",
            )
        shape = model_shapes().get(chosen.model)
        wanted = model.max_model_len or (model.shape.max_context if model.shape else None)
        if shape and shape.max_context and wanted and wanted > shape.max_context:
            yield Problem(
                f"{path}.model",
                f"{chosen.model}, which reads {shape.max_context} tokens, beside maxModelLen {wanted}",
                "a draft model that reads as far as the model",
                f"write maxModelLen: {shape.max_context}, or name another draft model",
            )


def files_fit_engine(draft: Draft) -> Iterator[Problem]:
    """What lies in a store is what the engine loads, in a way the engine knows."""
    stores = draft.storage.weights if draft.storage else ()
    for index, model in draft.models:
        kind = next((store.kind for store in stores if store.name == model.weights), None)
        path = f"models[{index}]"
        if kind == "s3-streamer" and model.engine != VLLM.name:
            yield Problem(
                f"{path}.weights",
                f'"{model.weights}", a store of kind s3-streamer, with {model.engine}',
                "vllm, whose loader and flags for it were read; of the others they were not confirmed",
                "name a store that is mounted, such as efs, or write engine: vllm",
            )
        if model.engine != "triton-tensorrt-llm":
            continue
        if kind is not None and kind not in _OWN_FILES:
            accepted = (
                f"a store with files of your own ({' or '.join(_OWN_FILES)}), or none: Triton serves a model repository"
            )
            yield Problem(f"{path}.weights", f'"{model.weights}", of kind {kind}', accepted, "put the repository there")
        if kind is None and not model.weights and not model.model.startswith("/"):
            accepted = "a path in the image: Triton serves a model repository and downloads no checkpoint"
            yield Problem(f"{path}.model", f'"{model.model}"', accepted, "write the path, such as /models")
