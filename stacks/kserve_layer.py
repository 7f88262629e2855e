"""KServe: its controllers in the platform layer, its models in the workloads layer; nothing where no model asks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pulumi

from infra.settings import ModelSettings, PlatformSettings
from infra.settings.kserve import KServeModelSettings
from infra.versions import (
    CERT_MANAGER,
    CERT_MANAGER_CHART,
    KNATIVE,
    KNATIVE_OPERATOR_CHART,
    KNATIVE_OPERATOR_REPOSITORY,
    KSERVE,
    KSERVE_CHARTS,
)
from stacks.engine_options import engine_options, serving_pod
from stacks.server_place import clients_args, rollout_args

if TYPE_CHECKING:  # imported where they are used: most environments have no KServe
    from components.serving.kserve_models.args import GatewayArgs, KServeModelArgs, LoraArgs, PrefillArgs
    from components.serving.kserve_models.controller import KServeOperatorArgs
    from stacks.platform_layer import Cluster


def deploy_kserve(cluster: "Cluster") -> dict[str, pulumi.Resource]:
    """cert-manager, Knative and KServe, as far as models need them and the cluster has them not.

    In the embedded environment no chart is installed; what the charts' controllers would read is made all the same.
    """
    settings = cluster.settings
    served = [model.kserve for model in settings.models if model.kserve]
    made: dict[str, pulumi.Resource] = {}
    if needs_cert_manager(settings) and settings.installs("cert-manager"):
        from components.serving.kserve_models.cert_manager import CertManager

        chart: Any = {"chart": CERT_MANAGER_CHART, "version": f"v{CERT_MANAGER}"}
        made["cert-manager"] = CertManager("cert-manager", chart, cluster.options())
    if any(kserve.mode == "Knative" for kserve in served) and _ours(settings, "knative-operator"):
        made["knative-operator"] = _knative(cluster)
    if served and _ours(settings, "kserve"):
        from components.serving.kserve_models.controller import KServeOperator

        made["kserve"] = KServeOperator("kserve", _operator_args(settings), cluster.options(list(made.values())))
    return made


def needs_cert_manager(settings: PlatformSettings) -> bool:
    """Whether anything asks for certificates: KServe's webhooks do, and a gateway with an issuer."""
    gateway = settings.gateway
    issued = gateway is not None and gateway.tls is not None and gateway.tls.issuer is not None
    return issued or any(model.kserve for model in settings.models)


def serves_llm_inference_services(settings: PlatformSettings) -> bool:
    """Whether some model is an LLMInferenceService; KServe's chart then brings the CRDs of InferencePool."""
    return any(model.kserve and model.kserve.kind == "LLMInferenceService" for model in settings.models)


def deploy_kserve_model(model: ModelSettings, cluster: "Cluster", needed: Sequence[pulumi.Resource]) -> Any:
    """A model that KServe serves.

    Args:
        needed: what must be there before it and until after it.
    """
    from components.serving.kserve_models.model import KServeModel

    options = pulumi.ResourceOptions(provider=cluster.kubernetes, depends_on=list(needed))
    return KServeModel(model.name, kserve_model_args(model, cluster.settings), options)


def kserve_model_args(model: ModelSettings, settings: PlatformSettings) -> "KServeModelArgs":
    """The component's arguments for one model of the settings."""
    kserve = model.kserve or KServeModelSettings()
    args: KServeModelArgs = {
        "namespace": model.namespace,
        "kind": kserve.kind,
        "replicas": model.replicas,
        "engine": engine_options(model, settings),
        "pod": serving_pod(model, settings),
        "scheduler_replicas": kserve.scheduler.replicas,
        "scheduler_cpu": kserve.scheduler.cpu,
        "scheduler_memory_gib": kserve.scheduler.memory_gib,
        "rollout": rollout_args(model),
        "clients": clients_args(model),
    }
    if kserve.mode:
        args["mode"] = kserve.mode
    if kserve.runtime == "huggingface":
        args["runtime"] = kserve.runtime
        args["pod"]["image"] = hugging_face_image()
    if kserve.min_replicas is not None:
        args["min_replicas"] = kserve.min_replicas
    if kserve.max_replicas is not None:
        args["max_replicas"] = kserve.max_replicas
    if kserve.container_concurrency is not None:
        args["container_concurrency"] = kserve.container_concurrency
    if kserve.canary_traffic_percent is not None:
        args["canary_traffic_percent"] = kserve.canary_traffic_percent
    if kserve.prefill:
        args["prefill"] = _prefill(model, kserve, settings)
    if kserve.lora:
        args["lora"] = _lora(kserve)
    gateway = _gateway(settings)
    if kserve.route and gateway:
        args["gateway"] = gateway
    return args


def hugging_face_image() -> str:
    """Image of KServe's own Hugging Face server, of KServe's version."""
    from infra.catalog.kserve import HUGGING_FACE_SERVER

    return f"{HUGGING_FACE_SERVER.image}:v{KSERVE}"


def _prefill(model: ModelSettings, kserve: KServeModelSettings, settings: PlatformSettings) -> "PrefillArgs":
    """The prefill servers: the model's own engine and pod, cut over other GPUs where that is asked for."""
    wanted = kserve.prefill
    cut = (wanted.tensor_parallel if wanted else None) or model.tensor_parallel
    alike = model.model_copy(update={"tensor_parallel": cut})
    return {
        "replicas": wanted.replicas if wanted else 1,
        "engine": engine_options(alike, settings),
        "pod": serving_pod(alike, settings),
    }


def _lora(kserve: KServeModelSettings) -> "LoraArgs":
    found = kserve.lora
    args: LoraArgs = {"adapters": [{"name": item.name, "uri": item.uri} for item in (found.adapters if found else ())]}
    if found and found.max_rank is not None:
        args["max_rank"] = found.max_rank
    if found and found.max_adapters is not None:
        args["max_adapters"] = found.max_adapters
    return args


def _gateway(settings: PlatformSettings) -> "GatewayArgs | None":
    gateway = settings.kserve.gateway
    return {"namespace": gateway.namespace, "name": gateway.name} if gateway else None


def _operator_args(settings: PlatformSettings) -> "KServeOperatorArgs":
    served = [model.kserve for model in settings.models if model.kserve]
    llm = serves_llm_inference_services(settings)
    args: KServeOperatorArgs = {
        "version": f"v{KSERVE}",
        "inference_services": any(kserve.kind == "InferenceService" for kserve in served),
        "llm_inference_services": llm,
        "default_mode": "Standard",
        "pool_definitions": llm,
    }
    if settings.installs("kserve"):
        args["charts"] = {"registry": KSERVE_CHARTS}
    gateway = _gateway(settings)
    if gateway:
        args["gateway"] = gateway
    return args


def _knative(cluster: "Cluster") -> pulumi.Resource:
    from components.serving.kserve_models.knative import KnativeServing, KnativeServingArgs

    settings = cluster.settings
    models = [model for model in settings.models if model.kserve and model.kserve.mode == "Knative"]
    images = {
        hugging_face_image() if model.kserve and model.kserve.runtime == "huggingface" else model.image
        for model in models
    }
    args: KnativeServingArgs = {
        "operator": {
            "chart": KNATIVE_OPERATOR_CHART,
            "repository": KNATIVE_OPERATOR_REPOSITORY,
            "version": f"v{KNATIVE}",
        },
        "install_operator": settings.installs("knative-operator"),
        "version": KNATIVE,
        "images": sorted(images),
    }
    return KnativeServing("knative", args, cluster.options())


def _ours(settings: PlatformSettings, operator: str) -> bool:
    """Whether the configuration of an operator is ours: also where no machine could run the operator itself."""
    return settings.target == "local" or settings.installs(operator)
