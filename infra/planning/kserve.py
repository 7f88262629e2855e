"""What KServe and Knative bound a server's life by, where the settings cannot choose.

Sources: KServe 0.20.0 and Knative Serving 1.21.1 (Go modules github.com/kserve/kserve@v0.20.0 and
knative.dev/serving@v0.48.1), read 2026-11-21.
"""

from infra.planning.drain import EXIT_MARGIN_SECONDS

# The queue proxy goes on taking requests for as long after SIGTERM, until every sender has heard
# (knative.dev/serving, pkg/queue/sharedmain/main.go, drainSleepDuration).
KNATIVE_QUIET_SECONDS = 30

# `max-revision-timeout-seconds` (config/core/configmaps/defaults.yaml). It is the activator's own grace as well, so it
# cannot be raised alone.
KNATIVE_LONGEST_TIMEOUT_SECONDS = 600

# How long KServe's Python server waits for running requests: `grace_period` of ModelServer, a constant of the
# constructor and no flag (python/kserve/kserve/protocol/rest/server.py).
HUGGING_FACE_DRAIN_SECONDS = 30

# KServe leaves `progressDeadlineSeconds` at this in mode Standard and has no field for it
# (reconcilers/deployment/deployment_reconciler.go). A load that takes longer shows as failed until it is ready.
STANDARD_PROGRESS_SECONDS = 600


def revision_timeout_seconds(longest_generation_seconds: int) -> int:
    """`timeoutSeconds` of a Knative revision.

    It bounds one request, and Knative takes it for the pod's terminationGracePeriodSeconds as well
    (pkg/reconciler/revision/resources/deploy.go): so it holds the quiet time, the longest generation and the exit.
    """
    return KNATIVE_QUIET_SECONDS + longest_generation_seconds + EXIT_MARGIN_SECONDS


def longest_knative_drain() -> int:
    """Longest generation in seconds that Knative's largest time-out leaves room for."""
    return KNATIVE_LONGEST_TIMEOUT_SECONDS - KNATIVE_QUIET_SECONDS - EXIT_MARGIN_SECONDS


def default_unavailable(replicas: int) -> int:
    """Servers that a Deployment with Kubernetes' default strategy lets go before new ones are ready: a quarter,
    rounded down. KServe gives the Deployments of an LLMInferenceService no other strategy and has no field for one
    (pkg/controller/v1alpha2/llmisvc/workload_single_node.go)."""
    return replicas // 4


def default_surge(replicas: int) -> int:
    """Servers beyond `replicas` that such a Deployment starts at most: a quarter, rounded up."""
    return -(-replicas // 4)
