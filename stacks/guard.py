"""The first thing a destroy does: refuse while somebody else still uses what would go."""

from collections.abc import Sequence

import pulumi

from components.serving.gateway.endpoint_picker_spec import picker_name
from components.teardown import delete_hook
from infra.conventions import GATEWAY_NAME as GATEWAY
from infra.conventions import GATEWAY_NAMESPACE
from infra.settings import PlatformSettings
from infra.settings.gateway_routes import picked_models
from infra.settings.target import Layer
from stacks.foundation import Foundation, reach_of
from stacks.platform_layer import PlatformLayer
from stacks.stack_config import StackConfig

# Seconds to list what lives in a cluster, the retries of a slow API server included.
_LOOK_SECONDS = 300


def guard(
    config: StackConfig,
    foundation: Foundation,
    platform: PlatformLayer,
    layers: tuple[Layer, ...],
    made: Sequence[pulumi.Resource],
) -> None:
    """Create the hook that is deleted before everything else of the stack.

    A stack of workloads alone has none: nothing stands on it.

    Args:
        made: everything of the stack that others could use; the hook depends on it, so that it goes first.
    """
    settings = config.settings
    whole = "foundation" in layers and settings.target == "eks"
    if not whole and "platform" not in layers:
        return
    pools = [*platform.pools, *([settings.cpu_pool.name] if platform.cpu_pool and settings.cpu_pool else [])]
    own = _own(settings) if "workloads" in layers else []
    words = ["guard", f"--stack={pulumi.get_stack()}", f"--pools={','.join(pools)}", f"--own={','.join(own)}"]
    words += ["--controllers"] if platform.controllers else []
    words += ["--operators"] if "platform" in layers else []
    words += ["--whole-cluster"] if whole else []
    # Protected with what is: the engine may be told to skip its preview, and would else delete half a cluster first.
    protect = settings.cluster.deletion_protection and (whole or bool(platform.gateway))
    options = pulumi.ResourceOptions(depends_on=list(made), protect=protect)
    delete_hook("guard", words, reach_of(settings, foundation), _LOOK_SECONDS, opts=options)


def _own(settings: PlatformSettings) -> list[str]:
    """What the workloads layer made, as `namespace/name`."""
    models = {model.name: model for model in settings.models}
    own = [f"{model.namespace}/{name}" for name, model in models.items()]
    if settings.gateway:
        picked = picked_models(settings.gateway.routes, models)
        own += [f"{models[name].namespace}/{picker_name(name)}" for name in picked]
        own.append(f"{GATEWAY_NAMESPACE}/{GATEWAY}")
    return own
