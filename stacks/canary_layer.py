"""Canaries of the settings: what moves their traffic, after the servers of both versions and the way in."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pulumi

from infra.catalog.engines import engine
from infra.catalog.kserve import HUGGING_FACE_SERVER
from infra.conventions import GATEWAY_NAMESPACE
from infra.settings import ModelSettings, PlatformSettings
from infra.settings.canary import CanarySettings, canary_of, differences, splits
from infra.versions import DOWNLOAD_IMAGE
from stacks.gateway_args import route_namespace

if TYPE_CHECKING:  # imported where it is used: most environments have no canary
    from components.serving.canary.rollout import CanaryRolloutArgs, TrafficSplitArgs
    from stacks.platform_layer import Cluster, PlatformLayer


def deploy_canaries(
    cluster: "Cluster",
    servers: Mapping[str, pulumi.Resource],
    ways_in: Sequence[pulumi.Resource],
    platform: "PlatformLayer",
) -> list[pulumi.Resource]:
    """A rollout for each model with a canary.

    Args:
        cluster: with the settings as `with_canaries` makes them: the canary is one of the models, and a backend.
        servers: model servers by name; the rollout waits for both versions.
        ways_in: the gateway, whose routes the rollout changes.
        platform: what the same stack made of the layer below; the Jobs run on its pool without GPUs.
    """
    made: list[pulumi.Resource] = []
    for model in cluster.settings.models:
        if model.canary is None:
            continue
        from components.serving.canary.rollout import CanaryRollout

        both = [servers[name] for name in (model.name, canary_of(model).name) if name in servers]
        nodes = [platform.cpu_pool] if platform.cpu_pool else []
        options = pulumi.ResourceOptions(provider=cluster.kubernetes, depends_on=[*both, *ways_in, *nodes])
        args = canary_rollout_args(model, model.canary, cluster.settings)
        made.append(CanaryRollout(f"{model.name}-rollout", args, options))
    return made


def canary_rollout_args(
    model: ModelSettings, canary: CanarySettings, settings: PlatformSettings
) -> "CanaryRolloutArgs":
    """The component's arguments for one model with a canary."""
    facts = engine(model.engine)
    # Defaults are left out: a setting that a release of this program adds makes no other version.
    stable = model.model_dump(mode="json", exclude_defaults=True, exclude={"canary", "expose"})
    hugging_face = model.kserve is not None and model.kserve.runtime == "huggingface"
    args: CanaryRolloutArgs = {
        "namespace": model.namespace,
        # A tenant may start pods as any account of its namespace, and this one may change a route of the gateway.
        "home": model.namespace if model.kserve else GATEWAY_NAMESPACE,
        "version": json.dumps([stable, differences(canary)], sort_keys=True),
        "stable": model.name,
        "canary": canary_of(model).name,
        "canary_servers": _servers(model, canary),
        "engine": model.engine,
        "port": HUGGING_FACE_SERVER.port if hugging_face else facts.metrics_port,
        "metrics_path": facts.metrics_path,
        "splits": _splits(model, settings),
        "steps": list(canary.steps),
        "bake_seconds": canary.bake_seconds,
        "min_requests": canary.min_requests,
        "max_wait_seconds": canary.max_wait_seconds,
        "ttft_ratio": canary.limits.ttft_ratio,
        "tpot_ratio": canary.limits.tpot_ratio,
        "error_delta": canary.limits.error_delta,
        "abort_delta": canary.limits.abort_delta,
        "image": DOWNLOAD_IMAGE,
        "on_cpu_pool": settings.cpu_pool is not None,
        "wait": canary.wait,
    }
    if model.kserve is not None:
        args["knative"] = True
    check = canary.quality_check
    if check is not None:
        args["check_seconds"] = check.timeout_seconds
        if check.image:
            args["check_image"] = check.image
            args["check_command"] = list(check.command)
        if check.url:
            args["check_url"] = check.url
    return args


def _servers(model: ModelSettings, canary: CanarySettings) -> int:
    """Servers of the canary that are there whatever the load: Knative lets a revision go down to its fewest."""
    least = model.kserve.min_replicas if model.kserve else None
    return canary.replicas or model.replicas if least is None else least


def _splits(model: ModelSettings, settings: PlatformSettings) -> "list[TrafficSplitArgs]":
    """What splits the traffic of a model: its routes, or the InferenceService itself."""
    if model.kserve is not None:
        group, version, plural = "serving.kserve.io", "v1beta1", "inferenceservices"
        return [
            {
                "group": group,
                "version": version,
                "plural": plural,
                "namespace": model.namespace,
                "name": model.name,
            }
        ]
    from components.serving.gateway.gateway_spec import API_VERSIONS
    from infra.planning.routes import backend_name

    models = {item.name: item for item in settings.models}
    group, version = API_VERSIONS["AIGatewayRoute"].split("/")
    return [
        {
            "group": group,
            "version": version,
            "plural": "aigatewayroutes",
            "namespace": route_namespace(route, models),
            "name": route.name,
            "stable_backend": backend_name(route.name, model.name),
            "canary_backend": backend_name(route.name, canary_of(model).name),
        }
        for route in (settings.gateway.routes if settings.gateway else ())
        if splits(route, model.name)
    ]
