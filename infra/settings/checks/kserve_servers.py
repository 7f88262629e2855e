"""What a server under KServe cannot be told: each form holds less than a Deployment of ours, and says nothing.

A setting that the form or the runtime would drop is refused here, with the form that holds it.
"""

from collections.abc import Iterator

from infra.catalog.engines import VLLM
from infra.catalog.kserve import HUGGING_FACE_SERVER
from infra.errors import Problem
from infra.planning.kserve import KNATIVE_QUIET_SECONDS, default_unavailable
from infra.settings.checks.draft import Draft
from infra.settings.checks.engines import asked_options, setting_of
from infra.settings.gateway_routes import expanded, has_own_scheduler, models_of, picks, scales_by_requests
from infra.settings.models import ModelSettings
from infra.settings.storage import StorageSettings
from infra.versions import KSERVE

# What Knative's own pods ask for, two of each (high-availability of our KnativeServing), and the operator's: 2.26, from
# the operator's manifests of 1.21.1.
_KNATIVE_CPUS = 2.3


def _served(draft: Draft) -> Iterator[tuple[str, ModelSettings]]:
    """Models that KServe serves, each with its path."""
    for index, model in draft.models:
        if model.kserve:
            yield f"models[{index}]", model


def hugging_face_takes_few(draft: Draft) -> Iterator[Problem]:
    """KServe's Hugging Face server drops every flag that it does not know (parse_known_args), without a word."""
    for path, model in _served(draft):
        if not model.kserve or model.kserve.runtime != "huggingface" or model.engine != VLLM.name:
            continue
        for setting, found in _lost_on_hugging_face(model, draft.storage or StorageSettings()):
            yield Problem(
                f"{path}.{setting}",
                f"{found} with runtime huggingface",
                f"only model, revision, maxModelLen, tensorParallel and gpuMemoryUtilization: KServe's Hugging Face"
                f" server {KSERVE} is told no more; runtime vllm takes {setting}",
                f"write runtime: vllm, or remove {setting}",
            )


def _lost_on_hugging_face(model: ModelSettings, storage: StorageSettings) -> Iterator[tuple[str, str]]:
    """Settings that its server is not told, each with what was given."""
    options = model.engine_options
    yield from ((setting_of(name), "given") for name in sorted(asked_options(model) - HUGGING_FACE_SERVER.options))
    if options.extra_arguments:
        yield "engineOptions.extraArguments", " ".join(options.extra_arguments)
    if options.run_as:
        yield "engineOptions.runAs", f"user {options.run_as.user}"
    if model.image != VLLM.image:
        yield "image", f'"{model.image}"'
    if model.compile_cache.kind == "none":
        yield "compileCache", "none"
    store = storage.weights_store(model.weights)
    if store and store.kind == "s3-streamer":
        yield "weights", f'"{store.name}", which is streamed by flags of vLLM,'


def knative_holds_less(draft: Draft) -> Iterator[Problem]:
    """Knative refuses a preStop hook, and calls the servers itself, whoever asked it."""
    for path, model in _served(draft):
        if not scales_by_requests(model):
            continue
        if "pre_stop_seconds" in model.drain.model_fields_set:
            yield Problem(
                f"{path}.drain.preStopSeconds",
                f"{model.drain.pre_stop_seconds} in mode Knative",
                f"nothing: Knative refuses the hook, and its own proxy goes on answering for {KNATIVE_QUIET_SECONDS} s",
                "remove it, or write mode: Standard",
            )
        if model.clients.namespaces or model.clients.same_namespace:
            yield Problem(
                f"{path}.clients",
                "given in mode Knative",
                "nothing: only Knative reaches the servers, and passes on what any pod asks of its proxies",
                "remove it, or write mode: Standard, where a policy tells callers apart",
            )


def rollouts_are_held(draft: Draft) -> Iterator[Problem]:
    """Only a Deployment of mode Standard can be told how its servers are exchanged."""
    for path, model in _served(draft):
        rollout = model.rollout
        if scales_by_requests(model) and (rollout.strategy != "surge" or rollout.at_once != 1):
            yield Problem(
                f"{path}.rollout",
                f"strategy: {rollout.strategy}, atOnce: {rollout.at_once} in mode Knative",
                "nothing: a new revision comes with all its servers before the old one goes",
                "remove it and give the pools room for both, or write mode: Standard",
            )
        if has_own_scheduler(model) and rollout.model_fields_set:
            fewer = default_unavailable(model.replicas)
            if rollout.strategy == "surge" and rollout.at_once == 1 and not fewer:
                continue  # what Kubernetes does by default with so few
            yield Problem(
                f"{path}.rollout",
                f"strategy: {rollout.strategy}, atOnce: {rollout.at_once} with kind LLMInferenceService",
                f"nothing: KServe {KSERVE} leaves its Deployments Kubernetes' default, by which"
                f" {fewer or 'none'} of {model.replicas} goes before a new one is ready",
                "remove it, or write kind: InferenceService with mode: Standard",
            )


def fetched_models_have_an_address(draft: Draft) -> Iterator[Problem]:
    """KServe fetches the model of an LLMInferenceService, also where an image holds it."""
    for path, model in _served(draft):
        if has_own_scheduler(model) and not model.weights and model.model.startswith(("/", ".")):
            yield Problem(
                f"{path}.model",
                f'"{model.model}", a path, with kind LLMInferenceService',
                "a Hugging Face repository, or a store under storage.weights: KServe fetches the model by its address",
                "name the repository, or write kind: InferenceService",
            )


def prefill_keeps_its_transfer(draft: Draft) -> Iterator[Problem]:
    """KV caches go from prefill to decode servers by vLLM's one connector; what takes another ends that."""
    for path, model in _served(draft):
        if not model.kserve or not model.kserve.prefill:
            continue
        if model.engine_options.kv_offload:
            yield Problem(
                f"{path}.engineOptions.kvOffload",
                f"{model.engine_options.kv_offload.gib} GiB beside kserve.prefill",
                "one of the two: vLLM has one connector, and --kv-offloading-size sets it to its own in place of NIXL"
                " (VllmConfig._post_init_kv_transfer_config), so that no cache would reach a decode server",
                "remove kvOffload, or kserve.prefill",
            )
        for index, argument in enumerate(model.engine_options.extra_arguments):
            if argument.partition("=")[0].replace("_", "-") in {"--kv-transfer-config", "--port"}:
                yield Problem(
                    f"{path}.engineOptions.extraArguments[{index}]",
                    f'"{argument}" beside kserve.prefill',
                    "flags that the platform does not set itself: NIXL passes the caches",
                    "remove it",
                )


def adapters_come_one_way(draft: Draft) -> Iterator[Problem]:
    """Adapters that KServe fetches and those of the engine's own are one flag."""
    for path, model in _served(draft):
        options = model.engine_options
        if not model.kserve or not model.kserve.lora:
            continue
        given = {
            "loraAdapters": bool(options.lora_adapters),
            "maxLoras": options.max_loras is not None,
            "maxLoraRank": options.max_lora_rank is not None,
        }
        for setting in (name for name, is_given in given.items() if is_given):
            yield Problem(
                f"{path}.engineOptions.{setting}",
                "given beside kserve.lora",
                "kserve.lora alone, whose adapters KServe fetches: adapters, maxAdapters and maxRank",
                f"move it to kserve.lora and remove {setting}",
            )


def helpers_have_nodes(draft: Draft) -> Iterator[Problem]:
    """Endpoint pickers and Knative's own pods have no GPU, and the system nodes hold Karpenter."""
    if draft.target != "eks" or not draft.without_cpu_pool:
        return
    for path, model in _served(draft):
        if not model.kserve or not (has_own_scheduler(model) or scales_by_requests(model)):
            continue
        picker = f"KServe's endpoint picker, which asks for {model.kserve.scheduler.cpu} CPU"
        what = picker if has_own_scheduler(model) else f"Knative's own pods, which ask for {_KNATIVE_CPUS} CPUs in all"
        yield Problem(
            "cpuPool",
            f"nothing, and {path}.kserve needs {what}",
            "a CPU pool: GPU nodes keep such pods away, and the system nodes hold Karpenter and the add-ons",
            "add cpuPool with limits, such as {cpu: 64, memoryGib: 256}",
        )
        return


def exposures_reach_servers(draft: Draft) -> Iterator[Problem]:
    """A load balancer sends to pods: past Knative, which counts requests, and past KServe's endpoint picker."""
    for path, model in _served(draft):
        if model.expose and (scales_by_requests(model) or has_own_scheduler(model)):
            past = "Knative, which counts them and starts servers" if scales_by_requests(model) else "its picker"
            yield Problem(
                f"{path}.expose",
                f"a load balancer of its own for {model.name}",
                f"a route of the gateway: a load balancer would send requests past {past}",
                "remove expose and add a route under gateway.routes, or write kind: InferenceService with mode:"
                " Standard",
            )


def routes_leave_prefill_alone(draft: Draft) -> Iterator[Problem]:
    """Without its picker a route sends whole generations to prefill servers too: KServe has one Service for both."""
    models = {model.name: model for _, model in draft.models}
    for index, route in enumerate(draft.gateway.routes if draft.gateway else ()):
        ways = [(way, name) for way in expanded([route]) for name in models_of(way)]
        past = {name for way, name in ways if name in models and not picks(way, models[name])}
        for name in sorted(past):
            kserve = models[name].kserve
            if kserve and kserve.prefill:
                yield Problem(
                    f"gateway.routes[{index}]",
                    f"requests to {name} past its endpoint picker, with prefill apart",
                    "a route to this model alone, by a name that it serves, and neither overflow nor balance: service",
                    f"match model: {name}, or remove kserve.prefill",
                )
