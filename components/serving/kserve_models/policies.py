"""Who may reach what KServe makes of a model: the shape of its NetworkPolicies. Plain values in, dicts out.

KServe makes none (0.20.0). The rules are those of `components/serving/network_policy_spec.py`; what differs is who
calls. In mode Knative it is Knative, and no other: whom it calls for, a policy of the servers cannot see.
"""

from components.serving.engine_arguments import engine_of
from components.serving.kserve_models.args import KServeModelArgs
from components.serving.network_policy_spec import from_namespaces, network_policy_spec, tcp_ports
from components.serving.place_args import ClientsArgs
from components.serving.pod_parts import selector_labels
from components.specs import Spec
from infra.catalog.kserve import HUGGING_FACE_SERVER, KNATIVE_NAMESPACES, LLM_PODS, QUEUE_PROXY
from infra.conventions import GATEWAY_NAMESPACE, MONITORING_NAMESPACE


def server_policy(name: str, args: KServeModelArgs) -> Spec:
    """`NetworkPolicy.spec` of a model's servers."""
    if args["kind"] == "LLMInferenceService":
        return _llm_policy(name, args)
    return _knative_policy(name, args) if args["mode"] == "Knative" else _standard_policy(name, args)


def llm_selector(name: str) -> dict[str, str]:
    """Labels of every server of an LLMInferenceService, prefill and decode alike. KServe sets them and no others that
    tell models apart."""
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": LLM_PODS.part_of, **_component()}


def picker_selector(name: str) -> dict[str, str]:
    """Labels of KServe's endpoint picker."""
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/component": LLM_PODS.picker}


def picker_policy(name: str, args: KServeModelArgs) -> Spec:
    """`NetworkPolicy.spec` of KServe's endpoint picker: the gateway asks it, the monitor reads its metrics."""
    return {
        "podSelector": {"matchLabels": picker_selector(name)},
        "policyTypes": ["Ingress"],
        "ingress": [
            {"from": [from_namespaces(_gateways(args))], "ports": tcp_ports([LLM_PODS.picker_grpc])},
            {"from": [_monitor(args)], "ports": tcp_ports([LLM_PODS.picker_metrics])},
        ],
    }


def _standard_policy(name: str, args: KServeModelArgs) -> Spec:
    facts = engine_of(args["engine"])
    hugging_face = args.get("runtime") == "huggingface"
    http = HUGGING_FACE_SERVER.port if hugging_face else facts.port
    metrics = facts.metrics_port if facts.metrics_path and not hugging_face else None
    return network_policy_spec(name, selector_labels(name), args.get("clients", {}), http, metrics)


def _knative_policy(name: str, args: KServeModelArgs) -> Spec:
    """Activator and Kourier's proxies send requests, the autoscaler counts them."""
    engine_port = _standard_policy(name, args)["ingress"][1]["ports"]
    return {
        "podSelector": {"matchLabels": selector_labels(name)},
        "policyTypes": ["Ingress"],
        "ingress": [
            {
                "from": [from_namespaces(KNATIVE_NAMESPACES)],
                "ports": tcp_ports([QUEUE_PROXY.http, QUEUE_PROXY.statistics]),
            },
            {
                "from": [_monitor(args)],
                "ports": [*engine_port, *tcp_ports([QUEUE_PROXY.metrics])],
            },
        ],
    }


def _llm_policy(name: str, args: KServeModelArgs) -> Spec:
    """Clients as for any server, KServe's picker, which reads their metrics, and with prefill apart each other."""
    given = args.get("clients", {})
    clients: ClientsArgs = {**given, "namespaces": [*_gateways(args), *given.get("namespaces", [])]}
    spec = network_policy_spec(name, llm_selector(name), clients, LLM_PODS.http)
    picker = {
        "from": [{"podSelector": {"matchLabels": picker_selector(name)}}],
        "ports": tcp_ports([LLM_PODS.http]),
    }
    rules = [*spec["ingress"], picker]
    if "prefill" in args:
        # KV caches go over ports that NIXL's transports choose when they start, and without authentication.
        rules.append({"from": [{"podSelector": {"matchLabels": llm_selector(name)}}]})
    return {**spec, "ingress": rules}


def _gateways(args: KServeModelArgs) -> list[str]:
    """Namespaces of the proxies: our gateway's, and the Gateway's on which KServe makes a route."""
    own, gateway = args.get("clients", {}).get("gateway_namespace", GATEWAY_NAMESPACE), args.get("gateway")
    return sorted({own, *([gateway["namespace"]] if gateway else [])})


def _monitor(args: KServeModelArgs) -> Spec:
    return from_namespaces([args.get("clients", {}).get("monitoring_namespace", MONITORING_NAMESPACE)])


def _component() -> dict[str, str]:
    key, value = LLM_PODS.component
    return {key: value}
