"""The gateway: its controllers in the platform layer, its routes and pickers in the workloads layer."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pulumi

from infra.conventions import GATEWAY_NAME, GATEWAY_NAMESPACE
from infra.settings.gateway import GatewaySettings
from infra.settings.gateway_routes import models_of, picked_models
from infra.settings.tokens import GATEWAY_KEYS, wants_keys
from infra.versions import (
    AI_GATEWAY,
    AI_GATEWAY_CHART,
    AI_GATEWAY_CRD_CHART,
    ENVOY_GATEWAY,
    ENVOY_GATEWAY_CHART,
    ENVOY_GATEWAY_CRD_CHART,
    INFERENCE_EXTENSION_MANIFEST,
)
from stacks.gateway_args import gateway_args, picker_args
from stacks.kserve_layer import serves_llm_inference_services

if TYPE_CHECKING:  # imported where they are used: most environments have no gateway
    from components.serving.gateway.controllers import GatewayOperatorsArgs
    from stacks.platform_layer import Cluster, PlatformLayer

OPERATOR = "envoy-gateway"


def deploy_gateway_operators(cluster: "Cluster", kserve: Mapping[str, pulumi.Resource]) -> list[pulumi.Resource]:
    """Envoy Gateway and Envoy AI Gateway where a gateway is wanted and the cluster has them not.

    In the embedded environment no chart is installed; the namespace is there all the same.

    Args:
        kserve: KServe and what it stands on; its chart brings the CRDs of InferencePool with LLMInferenceServices.
    """
    settings = cluster.settings
    llm = serves_llm_inference_services(settings)
    there = settings.target == "existing" and OPERATOR in settings.cluster.installed
    if settings.gateway is None or there:
        return []
    from components.serving.gateway.controllers import GatewayOperators

    args: GatewayOperatorsArgs = {"namespace": GATEWAY_NAMESPACE}
    if settings.cluster.deletion_protection:
        args["protect"] = True
    if settings.gateway.rate_limit_store:
        args["rate_limit_store"] = settings.gateway.rate_limit_store
    if settings.installs(OPERATOR):
        args["charts"] = {
            "envoy_gateway": ENVOY_GATEWAY_CHART,
            "envoy_gateway_crds": ENVOY_GATEWAY_CRD_CHART,
            "envoy_gateway_version": f"v{ENVOY_GATEWAY}",
            "ai_gateway": AI_GATEWAY_CHART,
            "ai_gateway_crds": AI_GATEWAY_CRD_CHART,
            "ai_gateway_version": f"v{AI_GATEWAY}",
        }
        if not llm:
            args["charts"]["inference_manifest"] = INFERENCE_EXTENSION_MANIFEST
    needs = [item for name, item in kserve.items() if llm and name == "kserve"]
    return [GatewayOperators("gateway", args, cluster.options(needs))]


def deploy_gateway(
    cluster: "Cluster",
    namespaces: Mapping[str, pulumi.Resource],
    servers: Mapping[str, pulumi.Resource],
    secrets: Mapping[str, pulumi.Output[str]],
    platform: "PlatformLayer",
) -> list[pulumi.Resource]:
    """The gateway with its routes, and an endpoint picker for each model that is reached through one.

    Args:
        namespaces: those of the models, by name; pickers are in them.
        servers: models by name; a route comes after the servers it leads to and goes before them.
        secrets: of the stack, by name; the clients' keys may be among them.
        platform: what the same stack made of the layer below: controllers that see these objects, and go after them.
    """
    settings = cluster.settings
    gateway = settings.gateway
    if gateway is None:
        return []
    from components.serving.gateway.endpoint_picker import EndpointPicker
    from components.serving.gateway.gateway import InferenceGateway

    models = {model.name: model for model in settings.models}
    needs = _controllers(gateway, platform)
    nodes = [platform.cpu_pool] if platform.cpu_pool else []
    pickers: list[pulumi.Resource] = [
        EndpointPicker(
            f"{name}-picker",
            picker_args(models[name], settings, gateway),
            pulumi.ResourceOptions(
                provider=cluster.kubernetes, depends_on=[namespaces[models[name].namespace], *nodes, *needs]
            ),
        )
        for name in picked_models(gateway.routes, models)
    ]
    behind = [servers[name] for name in dict.fromkeys(name for route in gateway.routes for name in models_of(route))]
    options = pulumi.ResourceOptions(provider=cluster.kubernetes, depends_on=[*needs, *pickers, *behind])
    args = gateway_args(settings, gateway)
    if "authentication" in args and wants_keys(settings):
        args["authentication"]["api_keys"] = secrets[GATEWAY_KEYS]
    return [*pickers, InferenceGateway(GATEWAY_NAME, args, options)]


def _controllers(gateway: GatewaySettings, platform: "PlatformLayer") -> list[pulumi.Resource]:
    """What sees the gateway's objects: its own controllers, and those of load balancers, certificates and secrets."""
    needs = [item for name, item in platform.controllers.items() if name == "aws-load-balancer-controller"]
    if gateway.tls and gateway.tls.issuer:
        needs += [item for name, item in platform.kserve.items() if name == "cert-manager"]
    if gateway.authentication and gateway.authentication.api_keys and gateway.authentication.api_keys.external:
        needs += platform.secrets
    return [*platform.gateway, *needs]
