"""What a request meets on its way to a model: which paths pass, how long each hop waits, who must go first.

Knowledge that settings, components and policies share. Everything is a pure function of plain numbers.
"""

from collections.abc import Iterable
from dataclasses import dataclass

# Paths of an OpenAI-compatible API that answer requests and nothing else. The API key of an engine does not cover
# /invocations, /pause, /resume, /scale_elastic_ep or /metrics (vLLM 0.33, docs/usage/security.md), so a gateway lets
# only known paths through.
DEFAULT_PATHS = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/models")

# Paths that Envoy AI Gateway reads the model's name from; it answers 404 to every other one.
# Source: ai-gateway v1.0.0, cmd/extproc/mainlib/main.go and internal/extproc/server.go (errNoProcessor).
GATEWAY_PATHS = (
    "/anthropic/v1/messages",
    "/cohere/v2/rerank",
    "/v1/audio/speech",
    "/v1/audio/transcriptions",
    "/v1/audio/translations",
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/images/generations",
    "/v1/models",
    "/v1/responses",
)
MODELS_PATH = "/v1/models"  # answered by the gateway itself, from its routes

# Header in which Envoy AI Gateway puts the model's name before it chooses a route (its ModelNameHeaderKeyDefault).
MODEL_HEADER = "x-ai-eg-model"
# Header with the name of the client that a key or token belongs to; the gateway sets it and overwrites what came in.
CLIENT_HEADER = "x-gpu-platform-client"
# Headers that nobody but gateway, picker and sidecars may write: they are taken from every request before it is read.
# x-ai-eg-*: the model, and the path as Envoy AI Gateway 1.0.0 found it, which it believes of a request without body.
# x-gateway-*: the server that Envoy connects to, priority and fairness (inference extension). x-envoy-*: retries and
# time-outs of Envoy's router. The rest: addresses that llm-d's sidecar connects to (llm-d-router, pkg/common/routing).
OWN_PREFIXES = ("x-ai-eg-", "x-gateway-", "x-envoy-", "x-llm-d-")
OWN_HEADERS = (
    CLIENT_HEADER,
    "x-data-parallel-host-port",
    "x-encoder-hosts-ports",
    "x-kv-cache-source-host-port",
    "x-prefiller-host-port",
)
# Where clients show who they are. A route by one of them would have somebody's key in its settings, and a picker or a
# server would never see it: the gateway takes it away once it has judged it.
CREDENTIAL_HEADERS = ("authorization", "x-api-key")
# Names of HTTPRoutes that are taken: ours, which refuses paths, and those of KServe (0.20.0, llmisvc/router.go).
# An AIGatewayRoute of such a name would write its own HTTPRoute over it.
REFUSED_ROUTE, KSERVE_ROUTE_SUFFIX = "refused-paths", "-kserve-route"
# Longest value of a header that selects clients (Envoy Gateway 1.8.2, HeaderMatch in ratelimit_types.go).
LONGEST_SELECTOR = 1024

# Engines whose metrics the endpoint picker reads, as llm-d.ai/engine-type names them. Text Generation Inference is not
# among them. Source: llm-d-router v0.9.0, core metrics extractor.
PICKER_ENGINES = frozenset({"vllm", "sglang", "trtllm-serve", "triton-tensorrt-llm", "triton"})

# A route waits this much longer than the longest generation: queue and prefill come before the first token.
ROUTE_MARGIN_SECONDS = 30
# The next hop outwards waits longer than the one behind it, so that the inner one reports its own time-out.
HOP_MARGIN_SECONDS = 5
# Idle time-out of a TCP listener of a Network Load Balancer. Source: Elastic Load Balancing, tcp.idle_timeout.seconds.
NLB_IDLE_DEFAULT_SECONDS, NLB_IDLE_LARGEST_SECONDS = 350, 6000
# Idle time-out of an Application Load Balancer. Source: Elastic Load Balancing, idle_timeout.timeout_seconds.
ALB_IDLE_LARGEST_SECONDS = 4000


@dataclass(frozen=True, slots=True)
class Patience:
    """How long each hop of one route waits, in seconds, from the engine outwards.

    Attributes:
        generation_seconds: the longest generation that is served; the engine's drain grants as much.
        request_seconds: the whole request at the gateway, to the last byte of the answer.
    """

    generation_seconds: int
    request_seconds: int

    @property
    def is_long_enough(self) -> bool:
        """Whether the gateway waits longer than the engine may take."""
        return self.request_seconds > self.generation_seconds

    @property
    def stream_idle_seconds(self) -> int:
        """Longest silence of a stream: an answer without streaming is silent until it is whole."""
        return self.request_seconds + HOP_MARGIN_SECONDS

    @property
    def load_balancer_idle_seconds(self) -> int:
        """Longest silence of a connection through the load balancer in front."""
        return max(NLB_IDLE_DEFAULT_SECONDS, self.stream_idle_seconds + HOP_MARGIN_SECONDS)


def patience(generations: Iterable[int], request_seconds: int | None = None) -> Patience:
    """Time-outs of a route to servers whose longest generations are `generations`, in seconds.

    Args:
        request_seconds: as the user wants it; default: the longest generation and a margin.
    """
    longest = max(generations)
    return Patience(longest, request_seconds or longest + ROUTE_MARGIN_SECONDS)


def deregistration_seconds(pre_stop_seconds: int) -> int:
    """Delay after which a load balancer lets go of a target: never longer than the target answers (preStop)."""
    return pre_stop_seconds


def may_pick(backends: int, asked_for: str | None, served: Iterable[str], engine: str) -> bool:
    """Whether the endpoint picker may choose the replica.

    Envoy AI Gateway 1.0 takes one InferencePool a rule (CEL rule of AIGatewayRoute) and does not rewrite the model's
    name on the way to it, so the name that clients ask for must be one that the engine serves.

    Args:
        backends: how many models the rule leads to, overflow counted.
        asked_for: the model's name in the match; None where the match has none and clients must write a served name.
        served: the names that the engine answers to.
        engine: `llm-d.ai/engine-type` of the model's engine.
    """
    return backends == 1 and (asked_for is None or asked_for in set(served)) and engine in PICKER_ENGINES


def backend_name(route: str, model: str) -> str:
    """Name of the AIServiceBackend and the Backend of a route's model."""
    return f"{route}-{model}"


def listener_name(host: str) -> str:
    """Name of the listener of a host name."""
    return host.replace("*", "any").replace(".", "-")


def client_pattern(clients: Iterable[str]) -> str:
    """The expression that a client's whole name matches if it is one of `clients`."""
    return "|".join(client.replace(".", r"\.") for client in clients)


def counters(envoys: int, host_names: int, paths: int) -> int:
    """Counters of one limit without a shared store, each of which grants its part.

    Envoy keeps one for each of its routes, and Envoy Gateway makes one for each host name and each rule of an HTTPRoute
    (1.8.2, local_ratelimit.go).

    Args:
        envoys: proxies.
        host_names: of the gateway; 0: any.
        paths: of a route by path, one rule each; 1 for every other route.
    """
    return envoys * max(1, host_names) * paths
