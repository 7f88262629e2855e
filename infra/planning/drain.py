"""How a server stops: three strictly nested numbers.

On deletion Kubernetes removes the pod from its endpoints and runs preStop at the same time; only when preStop ends
comes SIGTERM. vLLM then lets running requests finish for `--shutdown-timeout` seconds and answers new ones with an
abort, while /health stays 200. So endpoints must be gone before SIGTERM (preStop long enough), and the kubelet must
not kill before vLLM gives up (grace strictly longer than both).

With data parallel that holds on one node with one API server alone, which is why it is passed (`--api-server-count`):
several end at SIGTERM and cut what runs. Over several nodes vLLM waits for the engines of the leader's node only, so
there preStop itself waits until nothing runs, for the same time at most (`components/serving/multi_node/stop.py`).

Sources: vLLM 0.33 engine/arg_utils.py, v1/engine/core.py and core_client.py (MPClient.shutdown),
entrypoints/cli/serve.py (api_server_count, run_multi_api_server); vLLM PR 43208; kserve issue 5496.
"""

from dataclasses import dataclass

# What the process needs after its drain to release the GPU and exit (vLLM PR 43208 review: "about 10 s").
EXIT_MARGIN_SECONDS = 10

# EC2's notice before it takes a spot instance. Source: Karpenter v1.14 disruption documentation.
SPOT_NOTICE_SECONDS = 120


@dataclass(frozen=True, slots=True)
class DrainBudget:
    """The three numbers of one server, in seconds."""

    pre_stop_seconds: int
    shutdown_timeout_seconds: int

    @property
    def grace_period_seconds(self) -> int:
        """`terminationGracePeriodSeconds`: strictly longer than preStop and drain together."""
        return self.pre_stop_seconds + self.shutdown_timeout_seconds + EXIT_MARGIN_SECONDS

    @property
    def fits_spot_notice(self) -> bool:
        """Whether a server on a spot node can finish before EC2 takes the node."""
        return self.grace_period_seconds <= SPOT_NOTICE_SECONDS

    @property
    def longest_shutdown_on_spot(self) -> int:
        """The largest `shutdown_timeout_seconds` that still fits the spot notice with this preStop."""
        return SPOT_NOTICE_SECONDS - self.pre_stop_seconds - EXIT_MARGIN_SECONDS

    @property
    def longest_pre_stop_on_spot(self) -> int:
        """The largest `pre_stop_seconds` that still fits the spot notice with this drain."""
        return SPOT_NOTICE_SECONDS - self.shutdown_timeout_seconds - EXIT_MARGIN_SECONDS
