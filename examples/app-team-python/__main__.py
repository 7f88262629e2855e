"""An app team's own program: one model in the team's namespace, on the cluster that gpu-platform runs.

What it knows of the platform comes through its contract, so it needs no account, no cluster name and no kubeconfig.
"""

from typing import Any

import pulumi
from pulumi_kubernetes import Provider
from pulumi_kubernetes.core.v1 import Namespace

from components.serving import ModelServer
from infra.errors import PlatformError
from infra.versions import VLLM_IMAGE
from stacks.contract import LayerOutputs

TEAM = "support-bot"
POOL = "inference-l40s"


def outputs_of(setting: str, default: str) -> str:
    """Full name of the stack that `setting` names."""
    return f"{pulumi.get_organization()}/{pulumi.Config().get(setting) or default}"


def kubeconfig_with_pool(found: list[Any]) -> str:
    """The kubeconfig, once the pool is known to be there; without it servers would wait for a node for ever."""
    kubeconfig, pools = found
    if POOL not in pools:
        raise PlatformError(
            f"the platform has no node pool {POOL}; it has {', '.join(sorted(pools))}",
            "set POOL to one of them, or ask the platform team for one",
        )
    return str(kubeconfig)


platform_stack = outputs_of("platformStack", "gpu-platform/prod")
foundation_stack = outputs_of("foundationStack", "gpu-platform/prod-foundation")
platform = LayerOutputs(platform_stack)
foundation = platform if foundation_stack == platform_stack else LayerOutputs(foundation_stack)

cluster = Provider(
    "cluster",
    kubeconfig=pulumi.Output.all(foundation.require("kubeconfig"), platform.require("nodePools")).apply(
        kubeconfig_with_pool
    ),
    # What the provider is replaced by when it changes; a new text of the kubeconfig must not replace it.
    cluster_identifier=foundation.require("clusterName"),
)
namespace = Namespace(
    TEAM,
    metadata={"name": TEAM, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    opts=pulumi.ResourceOptions(provider=cluster),
)
server = ModelServer(
    "support-bot-qwen3-8b",
    {
        "namespace": TEAM,
        "replicas": 2,
        "engine": {
            "model": "Qwen/Qwen3-8B",
            "tensor_parallel": 1,
            "max_model_len": 16384,
            "gpu_memory_utilization": 0.9,
        },
        "pod": {
            "image": VLLM_IMAGE,
            "node_pools": [POOL],
            "spot_allowed": False,
            "startup_seconds": 1200,
            "pre_stop_seconds": 15,
            "shutdown_timeout_seconds": 120,
            # Four fifths of a g6e.2xlarge: 8 vCPU and 64 GiB beside one L40S. The rest is the node's own.
            "cpu": 6,
            "memory_gib": 51,
            "cache_gib": 28,
            "shared_memory_gib": 8,
        },
    },
    pulumi.ResourceOptions(provider=cluster, depends_on=[namespace]),
)
pulumi.export("url", server.url)
