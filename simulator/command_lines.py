"""How each process of the control plane is started: its command line, from the environment's files and ports.

Flags are of Kubernetes 1.36, etcd 3.6 and kwok 0.7. Everything listens on 127.0.0.1 only. etcd speaks TLS with client
certificates too, since on a shared machine its port would otherwise be the way around all authorization.
"""

from collections.abc import Callable, Mapping

from simulator.folders import Layout

# EKS picks 10.100.0.0/16 or 172.20.0.0/16 for Services (EKS user guide, CreateCluster, serviceIpv4Cidr).
_SERVICE_CIDR = "10.100.0.0/16"
# Addresses that kwok gives to pods; no traffic ever flows, so any private range does.
_POD_CIDR = "10.0.0.1/16"


def _etcd(layout: Layout, ports: Mapping[str, int]) -> list[str]:
    pki = layout.certificates
    client, peer = (f"https://127.0.0.1:{ports[purpose]}" for purpose in ("etcd", "etcd-peer"))
    pair = (f"cert-file={pki}/server.crt", f"key-file={pki}/server.key", f"trusted-ca-file={pki}/ca.crt")
    return [
        f"--data-dir={layout.folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        # A member alone never dials its peer URL; the fixed port keeps the data usable when the real one changes.
        "--initial-advertise-peer-urls=https://127.0.0.1:2380",
        "--initial-cluster=default=https://127.0.0.1:2380",
        *(f"--{item}" for item in (*pair, "client-cert-auth")),
        *(f"--peer-{item}" for item in (*pair, "client-cert-auth")),
        # The page cache survives a killed process; only a crash of the machine could lose this throw-away data.
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def _apiserver(layout: Layout, ports: Mapping[str, int]) -> list[str]:
    pki = layout.certificates
    issuer = "https://kubernetes.default.svc.cluster.local"
    return [
        f"--etcd-servers=https://127.0.0.1:{ports['etcd']}",
        f"--etcd-cafile={pki}/ca.crt",
        f"--etcd-certfile={pki}/server.crt",
        f"--etcd-keyfile={pki}/server.key",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={ports['apiserver']}",
        f"--tls-cert-file={pki}/server.crt",
        f"--tls-private-key-file={pki}/server.key",
        f"--client-ca-file={pki}/ca.crt",
        f"--token-auth-file={layout.tokens}",
        "--authorization-mode=RBAC",
        f"--service-cluster-ip-range={_SERVICE_CIDR}",
        f"--service-account-issuer={issuer}",
        f"--service-account-key-file={pki}/service-account.key",
        f"--service-account-signing-key-file={pki}/service-account.key",
        # A Service may not point at a loopback address, and no pod calls the API server here.
        "--endpoint-reconciler-type=none",
        # Device plugins and the EFA plugin are privileged; EKS allows it too and leaves the limit to admission.
        "--allow-privileged=true",
        # For aggregated APIs (KEDA's external metrics): who the front proxy is, and what it shows.
        f"--requestheader-client-ca-file={pki}/front-proxy-ca.crt",
        "--requestheader-allowed-names=front-proxy",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={pki}/front-proxy.crt",
        f"--proxy-client-key-file={pki}/front-proxy.key",
    ]


def _controller_manager(layout: Layout, _ports: Mapping[str, int]) -> list[str]:
    pki = layout.certificates
    return [
        f"--kubeconfig={layout.kubeconfig}",
        "--leader-elect=false",  # it is alone; an election costs seconds
        "--secure-port=0",  # one port less to be taken; nobody reads its metrics
        f"--root-ca-file={pki}/ca.crt",
        f"--service-account-private-key-file={pki}/service-account.key",
        f"--cluster-signing-cert-file={pki}/ca.crt",
        f"--cluster-signing-key-file={pki}/ca.key",
        # The pods of a node that is taken for dead (after 50 s) never become ready again, and kwok without leases sends
        # a heartbeat every ten minutes and not every 20 s: kwok v0.7.0, pkg/kwok/cmd/root.go, calls
        # getDefaultNodeStages(NodeLeaseDurationSeconds == 0), which wants the opposite.
        "--node-monitor-grace-period=30m",
        # Nothing else uses this API server: the default limits (20 and 30) would only slow it down.
        "--kube-api-qps=200",
        "--kube-api-burst=400",
    ]


def _scheduler(layout: Layout, _ports: Mapping[str, int]) -> list[str]:
    return [f"--config={layout.scheduler_config}", "--secure-port=0"]


def _kwok(layout: Layout, _ports: Mapping[str, int]) -> list[str]:
    return [
        f"--kubeconfig={layout.kubeconfig}",
        "--manage-all-nodes=true",
        f"--cidr={_POD_CIDR}",
        "--node-ip=127.0.0.1",
        # No leases, heartbeats in the nodes' status instead: a new kwok would wait until its predecessor's lease ends
        # (measured: 40 s) before it looks after the pods of a node.
        "--node-lease-duration-seconds=0",
    ]


ARGUMENTS: dict[str, Callable[[Layout, Mapping[str, int]], list[str]]] = {
    "etcd": _etcd,
    "kube-apiserver": _apiserver,
    "kube-controller-manager": _controller_manager,
    "kube-scheduler": _scheduler,
    "kwok": _kwok,
}


def scheduler_config(layout: Layout) -> dict[str, object]:
    """Packs GPUs as the clusters of this project do (EKS `kubeSchedulerConfig`, `MostAllocated`)."""
    weights = {"nvidia.com/gpu": 5, "cpu": 1, "memory": 1}
    strategy = {
        "type": "MostAllocated",
        "resources": [{"name": name, "weight": weight} for name, weight in weights.items()],
    }
    fit = {"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "NodeResourcesFitArgs", "scoringStrategy": strategy}
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "leaderElection": {"leaderElect": False},
        "clientConnection": {"kubeconfig": str(layout.kubeconfig), "qps": 200, "burst": 400},
        "profiles": [
            {"schedulerName": "default-scheduler", "pluginConfig": [{"name": "NodeResourcesFit", "args": fit}]}
        ],
    }
