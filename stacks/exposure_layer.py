"""Load balancers of single models, the simple choice beside the gateway; none where no model asks."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pulumi

from infra.catalog.engines import engine
from infra.planning.routes import HOP_MARGIN_SECONDS, NLB_IDLE_DEFAULT_SECONDS
from infra.settings import ModelSettings, PlatformSettings
from infra.settings.checks.exposure import largest_idle_seconds
from infra.settings.gateway import ExposeSettings
from infra.settings.gateway_routes import longest_generation
from stacks.server_address import port_of, selector_of, service_of

if TYPE_CHECKING:
    from components.serving.simple_exposure import SimpleExposureArgs
    from stacks.platform_layer import Cluster, PlatformLayer

# Where the VPC's range is not known: every private one (RFC 1918).
_PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")


def deploy_exposures(
    cluster: "Cluster", servers: Mapping[str, pulumi.Resource], platform: "PlatformLayer"
) -> list[pulumi.Resource]:
    """A load balancer for each model that asks for one.

    Args:
        servers: models by name; a load balancer comes after its servers and goes before them.
        platform: what the same stack made of the layer below: the controller that makes load balancers.
    """
    exposed = [(model, model.expose) for model in cluster.settings.models if model.expose]
    if not exposed:
        return []
    from components.serving.simple_exposure import SimpleExposure

    makers = [item for name, item in platform.controllers.items() if name == "aws-load-balancer-controller"]
    return [
        SimpleExposure(
            f"{model.name}-exposure",
            exposure_args(model, expose, cluster.settings),
            pulumi.ResourceOptions(provider=cluster.kubernetes, depends_on=[servers[model.name], *makers]),
        )
        for model, expose in exposed
    ]


def exposure_args(model: ModelSettings, expose: ExposeSettings, settings: PlatformSettings) -> "SimpleExposureArgs":
    """The component's arguments for one model of the settings."""
    idle = max(NLB_IDLE_DEFAULT_SECONDS, longest_generation(model) + HOP_MARGIN_SECONDS)
    service, port = service_of(model)
    args: SimpleExposureArgs = {
        "namespace": model.namespace,
        "model": model.name,
        "kind": expose.kind,
        "scheme": expose.scheme,
        "source_ranges": list(expose.source_ranges),
        "selector": selector_of(model),
        "port": port_of(model),
        "health_path": _health_path(model),
        "service": service,
        "service_port": port,
        "paths": list(expose.paths),
        "idle_seconds": expose.idle_seconds or min(idle, largest_idle_seconds(expose)),
        "pre_stop_seconds": model.drain.pre_stop_seconds,
        "load_balancer_ranges": [settings.network.cidr]
        if settings.network and settings.network.cidr
        else list(_PRIVATE),
    }
    if expose.host_name:
        args["host_name"] = expose.host_name
    if expose.certificate_arn:
        args["certificate_arn"] = expose.certificate_arn
    return args


def _health_path(model: ModelSettings) -> str:
    if model.kserve and model.kserve.runtime == "huggingface":
        from infra.catalog.kserve import HUGGING_FACE_SERVER

        return HUGGING_FACE_SERVER.ready_path.format(name=model.name)
    return model.custom.ready_path if model.custom else engine(model.engine).ready_path
