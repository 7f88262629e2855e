"""What the pods of two tenants must be able to say to each other and to the world, and what they must not."""

import re
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from components.tenancy import TenancyArgs
from components.tenancy.network_spec import network_policies
from infra.conventions import GATEWAY_NAMESPACE, MONITORING_NAMESPACE
from infra.plan import Manifest, kubernetes_manifests
from stacks.evaluation import evaluate
from tests.tenancy.connections import End, passes
from tests.tenancy.examples import CHAT, RESEARCH, example, quota, with_canary

# Addresses as they are in a cluster of the example: the API server's Service and one of its interfaces in the VPC, a
# pod of a tenant, EC2's metadata, the Pod Identity agent; and outside.
API_SERVICE, API_SERVER = End(address="172.20.0.1"), End(address="10.96.3.9")
METADATA, IDENTITY = End(address="169.254.169.254"), End(address="169.254.170.23")
INTERNET, CORPORATE, DATABASE = End(address="151.101.2.1"), End(address="10.50.4.4"), End(address="10.200.1.2")
POD_ADDRESS = "10.96.77.7"

DNS = End("kube-system", (("k8s-app", "kube-dns"),))
ENVOY, MONITOR = End(GATEWAY_NAMESPACE), End(MONITORING_NAMESPACE)
WEB, STRANGER = End("web"), End("strangers")

OF_KSERVE = "serving.kserve.io/inferenceservice"
# KServe makes these pods; the labels are its own (kserve v0.20.0, pkg/constants).
KSERVE_PICKER = End("research", (("app.kubernetes.io/component", "llminferenceservice-router-scheduler"),))
KSERVE_WORKLOAD = End("research", (("app.kubernetes.io/component", "llminferenceservice-workload"),))
NOTEBOOK = End("chat", (("app", "notebook"),))

ENGINE, PICKER, PICKER_METRICS, NCCL = 8000, 9002, 9090, 45123


ARGS: TenancyArgs = {
    "team": "chat",
    "quota": {"gpus": 1},
    "allow_from": ["web"],
    "downloads": True,
    "downloading_servers": ["qwen3-14b"],
    "pod_identity": True,
}


def everything(settings: dict[str, Any]) -> None:
    """Beside the example's servers: a canary with a container that looks at it and one with a URL, endpoint pickers
    before servers of ours and of KServe's, and a server over two nodes."""
    with_canary(settings)
    pool = {
        "name": "inference-l4",
        "purpose": "inference",
        "instanceTypes": ["g6.xlarge"],
        "capacityTypes": ["on-demand"],
        "limits": {"gpus": 12, "nodes": 12},
    }
    plain = {"model": "Qwen/Qwen3-8B", "traffic": "interactive", "nodePools": ["inference-l4"], "maxModelLen": 8192}
    url = {"qualityCheck": {"url": "https://answers.example.com/check"}, "gpuMemoryUtilization": 0.8}
    settings["nodePools"].append(pool)
    settings["models"] += [
        {**plain, "name": "giant", "namespace": "chat", "nodes": 2, "pipelineParallel": 2, "group": {
            "transport": "tcp", "downloadPerNode": True}},
        {**plain, "name": "judged", "namespace": "research", "canary": url},
        {**plain, "name": "of-kserve", "namespace": "research", "kserve": {"mode": "Standard"}},
    ]  # fmt: skip
    settings["gateway"]["routes"] += [
        {"name": name, "match": {"model": name}, "backends": [{"model": name}]}
        for name in ("qwen3-14b", "giant", "judged", "of-kserve")
    ]


@cache
def manifests() -> list[Manifest]:
    room = {"gpus": 16, "cpu": 200, "memoryGib": 900, "guaranteed": False}
    stack = example(quota(CHAT, **room), quota(RESEARCH, **room), everything)
    return kubernetes_manifests(evaluate(stack, "stand-in"))


def policies() -> list[Manifest]:
    return [item for item in manifests() if item.kind == "NetworkPolicy"]


def pod(kind: str, pattern: str, template: str = "spec.template", kserve: str = "") -> End:
    """Pods of the one object whose whole name is like that; of several equal Jobs, the first.

    Args:
        kserve: the label that KServe adds.
    """
    found = next(item for item in manifests() if item.kind == kind and re.fullmatch(pattern, item.name))
    body: Any = found.body
    for key in template.split("."):
        body = body[key]
    spec = body.get("spec", body)
    ports = [(port["name"], port["containerPort"]) for item in spec["containers"] for port in item.get("ports", ())]
    own = {**body.get("metadata", body)["labels"], **({OF_KSERVE: kserve} if kserve else {})}
    return End(found.namespace, tuple(sorted(own.items())), ports=tuple(ports))


@cache
def ends() -> dict[str, End]:
    group = "spec.leaderWorkerTemplate"
    return {
        "server": pod("Deployment", "qwen3-14b"),
        "stable": pod("Deployment", "llama-8b"),
        "canary": pod("Deployment", "llama-8b-canary"),
        "rollout": pod("Job", "llama-8b-canary-[0-9a-f]{10}"),
        "check": pod("Job", "llama-8b-canary-[0-9a-f]{10}-check-10"),
        "server of research": pod("Deployment", "qwen3-8b"),
        "judged canary": pod("Deployment", "judged-canary"),
        "rollout with a URL": pod("Job", "judged-canary-[0-9a-f]{10}"),
        "picker": pod("Deployment", "qwen3-14b-picker"),
        "picker of the group": pod("Deployment", "giant-picker"),
        "leader": pod("LeaderWorkerSet", "giant-group", f"{group}.leaderTemplate"),
        "follower": pod("LeaderWorkerSet", "giant-group", f"{group}.workerTemplate"),
        "server of KServe": pod("InferenceService", "of-kserve", "spec.predictor", kserve="of-kserve"),
        "picker of KServe's server": pod("Deployment", "of-kserve-picker"),
        "download": pod("Job", "download-.*"),
        "KServe's own picker": KSERVE_PICKER,
        "LLM workload of KServe": KSERVE_WORKLOAD,
        "notebook": NOTEBOOK,
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
    # A canary: its Job moves weights by the API, reads the metrics of both versions and asks the URL; the container
    # that looks at answers asks the canary.
    ("rollout", "API Service", 443),
    ("rollout", "API server", 443),
    ("rollout", "stable", ENGINE),
    ("rollout", "canary", ENGINE),
    ("rollout with a URL", "judged canary", ENGINE),
    ("rollout with a URL", "internet", 443),
    ("rollout with a URL", "corporate network", 443),  # where the name of a URL leads is not known
    ("check", "canary", ENGINE),
    # An endpoint picker: asks the API which pods there are, reads their metrics, and is asked by Envoy.
    ("picker", "API server", 443),
    ("picker", "server", ENGINE),
    ("picker of the group", "leader", ENGINE),
    ("picker of KServe's server", "server of KServe", ENGINE),
    ("KServe's own picker", "API server", 443),
    ("KServe's own picker", "LLM workload of KServe", ENGINE),
    ("LLM workload of KServe", "LLM workload of KServe", NCCL),
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
    ("Envoy", "LLM workload of KServe", ENGINE),
    ("monitor", "server", ENGINE),
    ("web", "server", ENGINE),  # tenants[].allowFrom
    ("notebook", "notebook", 8888),
    ("server of research", "database", 5432),  # tenants[].egress
]

SHUT = [
    # Nobody else reaches a server past the gateway, nor the ports of a group.
    ("notebook", "server", ENGINE),
    ("stranger", "server", ENGINE),
    ("server of research", "server", ENGINE),
    ("notebook", "leader", NCCL),
    ("Envoy", "leader", NCCL),
    ("server", "follower", NCCL),
    ("rollout", "server", ENGINE),  # a rollout reads its own two versions
    ("rollout", "server of research", ENGINE),
    ("picker", "leader", ENGINE),
    ("notebook", "picker", PICKER),
    ("monitor", "picker", PICKER),
    ("notebook", "server of KServe", ENGINE),
    # An engine knows nothing of Kubernetes, and what has its weights from a store has no business outside.
    ("server", "API server", 443),
    ("notebook", "API server", 443),
    ("stable", "internet", 443),
    ("notebook", "internet", 443),
    ("download", "internet", 80),
    ("rollout", "internet", 443),
    ("check", "internet", 443),
    ("download", "corporate network", 443),
    ("server", "database", 5432),  # the other tenant's
    ("rollout with a URL", "internet", 8443),
    ("rollout with a URL", "metadata", 443),
    ("download", "metadata", 80),
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


@pytest.mark.parametrize(
    ("url", "reached", "port"),
    [
        ("http://judge.evaluation.svc/check", End("evaluation"), 8080),  # the pods' own port is not the Service's
        ("http://judge.evaluation.svc.cluster.local:9000/check", End("evaluation"), 8080),
        ("http://10.50.4.4:8080/check", CORPORATE, 8080),
        ("http://judge.example.com/check", INTERNET, 80),
        ("https://judge.example.com:8443/check", INTERNET, 8443),
    ],
)
def test_the_url_of_a_check_opens_the_way_to_it_and_to_nothing_else(url: str, reached: End, port: int) -> None:
    specs = network_policies({**ARGS, "check_urls": [url]})
    (pattern, *_) = policies()
    own = [
        replace(pattern, body={**pattern.body, "metadata": {"name": name, "namespace": "chat"}, "spec": spec})
        for name, spec in specs.items()
    ]
    rollout = ends()["rollout"]
    others = [End("stranger"), DATABASE, METADATA, *(end for end in (End("evaluation"), CORPORATE) if end != reached)]

    assert passes(rollout, reached, port, own)
    assert not any(passes(rollout, end, 5432, own) for end in others)
    assert not passes(NOTEBOOK, reached, port, own)


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
