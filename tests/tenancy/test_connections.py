"""What the pods of two tenants must be able to say to each other and to the world, and what they must not."""

import re
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from components.tenancy import TenancyArgs
from components.tenancy.network_spec import network_policies
from infra.catalog.kserve import LLM_PODS, QUEUE_PROXY
from infra.conventions import GATEWAY_NAMESPACE, MONITORING_NAMESPACE
from infra.plan import Manifest, kubernetes_manifests
from stacks.evaluation import evaluate
from tests.tenancy.connections import End, passes
from tests.tenancy.examples import CHAT, RESEARCH, example, quota, with_canary

# Addresses as they are in a cluster of the example: the API server's Service and one of its interfaces in the VPC, a
# pod of a tenant, EC2's metadata, the Pod Identity agent; and outside.
API_SERVICE, API_SERVER = End(address="172.20.0.1"), End(address="10.96.3.9")
METADATA, IDENTITY = End(address="169.254.169.254"), End(address="169.254.170.23")
POD_OF_VPC, OWN_RANGE = End(address="198.19.4.4"), End(address="11.7.4.4")
INTERNET, CORPORATE, DATABASE = End(address="151.101.2.1"), End(address="10.50.4.4"), End(address="10.200.1.2")
POD_ADDRESS = "10.96.77.7"

PROXY = End(GATEWAY_NAMESPACE, (("gateway.envoyproxy.io/owning-gateway-namespace", GATEWAY_NAMESPACE),))
DNS = End("kube-system", (("k8s-app", "kube-dns"),))
ENVOY, MONITOR = End(GATEWAY_NAMESPACE), End(MONITORING_NAMESPACE)
WEB, STRANGER = End("web"), End("strangers")

KNATIVE = End("knative-serving")


def of_llm(component: str, **more: str) -> End:
    """Pods that KServe makes of the LLMInferenceService; the labels are its own."""
    own = {"app.kubernetes.io/name": "of-llm", "app.kubernetes.io/component": component}
    return End("chat", tuple({**own, "app.kubernetes.io/part-of": LLM_PODS.part_of, **more}.items()))


NOTEBOOK = End("chat", (("app", "notebook"),))
TRAINING = End("research", (("app", "training"),))

ENGINE, PICKER, PICKER_METRICS, NCCL = 8000, 9002, 9090, 45123

ARGS: TenancyArgs = {
    "team": "chat",
    "quota": {"gpus": 1},
    "allow_from": ["web"],
    "downloads": True,
    "downloading_servers": ["qwen3-14b"],
    "allow_to": ["research"],
    "gateway_namespace": GATEWAY_NAMESPACE,
    "pod_identity": True,
}


def everything(settings: dict[str, Any]) -> None:
    """Beside the example's servers: a canary with a container that looks at it and one with a URL, endpoint pickers
    before servers of ours and of KServe's, every form of KServe's, and a server over two nodes."""
    with_canary(settings)
    pool = {
        "name": "inference-l4",
        "purpose": "inference",
        "instanceTypes": ["g6.xlarge"],
        "capacityTypes": ["on-demand"],
        "limits": {"gpus": 24, "nodes": 24},
    }
    plain = {"model": "Qwen/Qwen3-8B", "traffic": "interactive", "nodePools": ["inference-l4"], "maxModelLen": 8192}
    url = {"qualityCheck": {"url": "https://answers.example.com/check"}, "gpuMemoryUtilization": 0.8}
    settings["nodePools"].append(pool)
    settings["models"] += [
        {**plain, "name": "giant", "namespace": "chat", "nodes": 2, "pipelineParallel": 2, "group": {
            "transport": "tcp", "downloadPerNode": True}},
        {**plain, "name": "judged", "namespace": "research", "canary": url},
        {**plain, "name": "of-kserve", "namespace": "research", "kserve": {"mode": "Standard"}},
        {**plain, "name": "of-knative", "namespace": "research", "kserve": {"mode": "Knative"}},
        {**plain, "name": "of-llm", "namespace": "chat", "kserve": {
            "kind": "LLMInferenceService", "prefill": {"replicas": 1}}},
    ]  # fmt: skip
    settings["tenants"][RESEARCH]["allowFrom"] = ["chat"]
    settings["tenants"][RESEARCH]["egress"].append({"cidr": "0.0.0.0/0", "ports": [80]})
    settings["models"][0]["clients"] = {"namespaces": ["research"]}
    settings["network"]["secondaryCidrs"] = ["11.7.0.0/16"]
    settings["gateway"]["routes"] += [
        {"name": name, "match": {"model": name}, "backends": [{"model": name}]}
        for name in ("qwen3-14b", "giant", "judged", "of-kserve")
    ]


@cache
def manifests() -> list[Manifest]:
    room = {"gpus": 24, "cpu": 300, "memoryGib": 1500, "guaranteed": False}
    stack = example(quota(CHAT, **room), quota(RESEARCH, **room), everything)
    return kubernetes_manifests(evaluate(stack, "stand-in"))


def policies() -> list[Manifest]:
    return [item for item in manifests() if item.kind == "NetworkPolicy"]


def pod(kind: str, pattern: str, template: str = "spec.template") -> End:
    """Pods of the one object whose whole name is like that; of several equal Jobs, the first."""
    found = next(item for item in manifests() if item.kind == kind and re.fullmatch(pattern, item.name))
    body: Any = found.body
    for key in template.split("."):
        body = body[key]
    spec = body.get("spec", body)
    ports = [(port["name"], port["containerPort"]) for item in spec["containers"] for port in item.get("ports", ())]
    own = body.get("metadata", body)["labels"]
    return End(found.namespace, tuple(sorted(own.items())), ports=tuple(ports))


@cache
def ends() -> dict[str, End]:
    group = "spec.leaderWorkerTemplate"
    return {
        "server": pod("Deployment", "qwen3-14b"),
        "stable": pod("Deployment", "llama-8b"),
        "canary": pod("Deployment", "llama-8b-canary-[0-9a-f]{5}"),
        "rollout": pod("Job", "llama-8b-canary-[0-9a-f]{10}"),
        "check": pod("Job", "llama-8b-canary-[0-9a-f]{10}-check-10"),
        "server of research": pod("Deployment", "qwen3-8b"),
        "judged canary": pod("Deployment", "judged-canary-[0-9a-f]{5}"),
        "rollout with a URL": pod("Job", "judged-canary-[0-9a-f]{10}"),
        "picker": pod("Deployment", "qwen3-14b-picker"),
        "picker of the group": pod("Deployment", "giant-picker"),
        "leader": pod("LeaderWorkerSet", "giant-group", f"{group}.leaderTemplate"),
        "follower": pod("LeaderWorkerSet", "giant-group", f"{group}.workerTemplate"),
        "server of KServe": pod("InferenceService", "of-kserve", "spec.predictor"),
        "server of Knative": pod("InferenceService", "of-knative", "spec.predictor"),
        "picker of KServe's server": pod("Deployment", "of-kserve-picker"),
        "download": pod("Job", "download-.*"),
        "KServe's own picker": of_llm(LLM_PODS.picker),
        "LLM server of KServe": of_llm(LLM_PODS.servers, **dict([LLM_PODS.component])),
        "prefill server of KServe": of_llm(LLM_PODS.prefill_servers, **dict([LLM_PODS.component])),
        "Knative": KNATIVE,
        "notebook": NOTEBOOK,
        "job of research": TRAINING,
        "gateway": PROXY,
        "pod of the VPC": POD_OF_VPC,
        "VPC of its own": OWN_RANGE,
        "Envoy": ENVOY,
        "monitor": MONITOR,
        "web": WEB,
        "stranger": STRANGER,
        "DNS": DNS,
        "API Service": API_SERVICE,
        "API server": API_SERVER,
        "internet": INTERNET,
        "corporate network": CORPORATE,
        "database": DATABASE,
        "metadata": METADATA,
        "Pod Identity": IDENTITY,
    }


# Who calls whom on which port of the pod, and may.
OPEN = [
    # A canary: its Job, which no tenant's policy binds in the gateway's namespace, reads the metrics of both versions;
    # the container that looks at answers asks the canary.
    ("rollout", "stable", ENGINE),
    ("rollout", "canary", ENGINE),
    ("rollout with a URL", "judged canary", ENGINE),
    ("check", "canary", ENGINE),
    # An endpoint picker: asks the API which pods there are, reads their metrics, and is asked by Envoy.
    ("picker", "API server", 443),
    ("picker", "server", ENGINE),
    ("picker of the group", "leader", ENGINE),
    ("picker of KServe's server", "server of KServe", ENGINE),
    ("KServe's own picker", "API server", 443),
    ("KServe's own picker", "LLM server of KServe", ENGINE),
    ("KServe's own picker", "prefill server of KServe", ENGINE),
    ("LLM server of KServe", "prefill server of KServe", NCCL),
    ("prefill server of KServe", "LLM server of KServe", NCCL),
    ("Envoy", "KServe's own picker", PICKER),
    ("monitor", "KServe's own picker", PICKER_METRICS),
    ("Envoy", "picker", PICKER),
    ("monitor", "picker", PICKER_METRICS),
    # Weights: a Job fetches those of a store, the others their servers; followers too, one on each node.
    ("download", "internet", 443),
    ("server", "internet", 443),
    ("leader", "internet", 443),
    ("follower", "internet", 443),
    ("server of KServe", "internet", 443),
    ("download", "Pod Identity", 80),
    # A group: every port in both directions, chosen at start.
    ("leader", "follower", NCCL),
    ("follower", "leader", NCCL),
    ("follower", "follower", NCCL),
    ("follower", "leader", ENGINE),
    # Requests and metrics.
    ("Envoy", "server", ENGINE),
    ("Envoy", "leader", ENGINE),
    ("Envoy", "server of KServe", ENGINE),
    ("Envoy", "LLM server of KServe", ENGINE),
    ("Knative", "server of Knative", QUEUE_PROXY.http),
    ("monitor", "server of Knative", QUEUE_PROXY.metrics),
    ("monitor", "server", ENGINE),
    ("web", "server", ENGINE),  # tenants[].allowFrom
    ("web", "LLM server of KServe", ENGINE),
    ("web", "notebook", 8888),
    ("notebook", "notebook", 8888),
    ("server of research", "database", 5432),  # tenants[].egress
    # Another tenant: what lets a neighbour in is of no use unless that is let out.
    ("notebook", "server of research", ENGINE),  # research's allowFrom
    ("notebook", "job of research", 8888),
    ("job of research", "stable", ENGINE),  # models[].clients of llama-8b
    ("notebook", "gateway", 10443),  # with a key
]

SHUT = [
    # Nobody else reaches a server past the gateway, nor the ports of a group.
    ("notebook", "server", ENGINE),
    ("stranger", "server", ENGINE),
    ("server of research", "server", ENGINE),
    ("notebook", "leader", NCCL),
    ("Envoy", "leader", NCCL),
    ("server", "follower", NCCL),
    ("rollout", "leader", NCCL),
    ("check", "server", ENGINE),  # a check asks its own canary
    ("check", "stable", NCCL),
    ("picker", "leader", ENGINE),
    ("notebook", "picker", PICKER),
    ("monitor", "picker", PICKER),
    ("job of research", "server of KServe", ENGINE),
    # An engine knows nothing of Kubernetes, and what has its weights from a store has no business outside.
    ("server", "API server", 443),
    ("notebook", "API server", 443),
    ("stable", "internet", 443),
    ("notebook", "internet", 443),
    ("download", "internet", 80),
    ("check", "internet", 443),
    ("download", "corporate network", 443),
    ("server", "database", 5432),  # the other tenant's
    ("Envoy", "server of Knative", ENGINE),  # past Knative
    ("Knative", "server of Knative", ENGINE),
    ("Envoy", "LLM server of KServe", NCCL),
    ("web", "prefill server of KServe", ENGINE),
    ("notebook", "LLM server of KServe", ENGINE),
    ("server of research", "LLM server of KServe", ENGINE),
    ("server of research", "KServe's own picker", PICKER),
    ("download", "metadata", 80),
    ("job of research", "metadata", 80),  # its egress to everywhere
    # Addresses of the VPC that are not private ones are the internet's no more.
    ("download", "pod of the VPC", 443),
    ("download", "VPC of its own", 443),
    ("job of research", "server", ENGINE),  # llama-8b lets it in, this does not
    ("job of research", "notebook", 8888),
    ("notebook", "gateway", 19001),  # what a proxy tells of itself
    ("notebook", "Envoy", 10443),  # another pod of that namespace
]


@pytest.mark.parametrize(("source", "target", "port"), OPEN)
def test_what_must_pass_passes(source: str, target: str, port: int) -> None:
    assert passes(ends()[source], ends()[target], port, policies())


@pytest.mark.parametrize(("source", "target", "port"), SHUT)
def test_nothing_else_passes_not_even_by_an_address(source: str, target: str, port: int) -> None:
    one, other = (
        replace(end, address=POD_ADDRESS) if end.namespace else end for end in (ends()[source], ends()[target])
    )

    assert not passes(one, other, port, policies())


@pytest.mark.parametrize("name", [name for name, end in ends().items() if end.namespace in ("chat", "research")])
def test_every_pod_of_a_tenant_asks_for_names_and_only_coredns(name: str) -> None:
    pod = ends()[name]

    assert passes(pod, DNS, 53, policies(), "UDP")
    assert passes(pod, DNS, 53, policies(), "TCP")
    assert not passes(pod, End("kube-system", (("k8s-app", "other"),)), 53, policies(), "UDP")


def test_each_policy_that_opens_something_is_needed() -> None:
    ours = ("chat", "research")
    shared = {item.name for item in policies() if item.namespace == "chat"} & set(network_policies(ARGS))
    opened = [*OPEN, ("notebook", "DNS", 53)]

    def closes(name: str) -> bool:
        """Whether something that must pass does not without the policy."""
        rest = [item for item in policies() if item.name != name or item.namespace not in ours]
        return not all(passes(ends()[source], ends()[target], port, rest) for source, target, port in opened)

    assert len(shared) > 8
    assert {name for name in shared if not closes(name)} == {"default-deny"}
