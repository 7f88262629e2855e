"""How long the embedded environment takes to start, beside the simplest control plane that could be started.

Run: `python benchmarks/embedded.py`. The bare control plane is etcd and kube-apiserver with the fewest flags that work
(no TLS to etcd, no controllers, no CRDs), from the same binaries in the same run, so the ratio says what ours adds.
"""

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from infra.plan.manifests import Manifest
from infra.progress import SilentProgress
from simulator.certificates import ensure_certificates
from simulator.client import wait_for
from simulator.environment import control_plane_only, down, up
from simulator.toolchain import ensure_tools

ROUNDS = 3
NAME = "benchmark"
PROGRESS = SilentProgress()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="gpu-platform-benchmark-") as folder:
        os.environ["GPU_PLATFORM_STATE"] = folder  # beside the user's environments, not among them
        measure()


def measure() -> None:
    tools = ensure_tools(PROGRESS)
    rows = {"bare etcd and kube-apiserver": [bare(tools) for _ in range(ROUNDS)]}
    rows["our control plane with CRDs"] = [ours() for _ in range(ROUNDS)]
    rows["up, from nothing to running pods"], rows["up again, nothing to do"] = environment()
    base = min(rows["bare etcd and kube-apiserver"])
    print(f"{'':36}{'best s':>8}{'worst s':>9}{'ratio':>7}")
    for title, seconds in rows.items():
        print(f"{title:36}{min(seconds):8.2f}{max(seconds):9.2f}{min(seconds) / base:7.2f}")


def ours() -> float:
    begin = time.monotonic()
    with control_plane_only(PROGRESS):
        return time.monotonic() - begin


def environment() -> tuple[list[float], list[float]]:
    """Seconds of a first `up` and of a second one."""
    first: list[float] = []
    again: list[float] = []
    for _ in range(ROUNDS):
        for seconds in (first, again):
            begin = time.monotonic()
            up(NAME, plan(), PROGRESS)
            seconds.append(time.monotonic() - begin)
        down(NAME, PROGRESS)
    return first, again


def bare(tools: dict[str, Path]) -> float:
    """Seconds until the simplest API server is ready."""
    folder = Path(tempfile.mkdtemp(prefix="gpu-platform-bare-"))
    ensure_certificates(folder / "keys")
    etcd, peer, port = (free_port() for _ in range(3))
    url = f"http://127.0.0.1:{etcd}"
    store = [str(tools["etcd"]), f"--data-dir={folder / 'etcd'}", f"--listen-client-urls={url}"]
    store += [f"--advertise-client-urls={url}", f"--listen-peer-urls=http://127.0.0.1:{peer}", "--unsafe-no-fsync"]
    keys = folder / "keys" / "service-account.key"
    server = [str(tools["kube-apiserver"]), f"--etcd-servers={url}", f"--secure-port={port}"]
    server += ["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", f"--cert-dir={folder / 'certificates'}"]
    server += [f"--service-account-key-file={keys}", f"--service-account-signing-key-file={keys}"]
    server += ["--service-account-issuer=https://bare", "--authorization-mode=RBAC"]
    server += ["--service-cluster-ip-range=10.100.0.0/16"]
    begin = time.monotonic()
    try:
        with running(store), running(server):
            if not wait_for(lambda: is_ready(port), 60, every=0.05):
                raise SystemExit("the bare API server is not ready after 60 s")
            return time.monotonic() - begin
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def running(command: list[str]) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def is_ready(port: int) -> bool:
    context = ssl._create_unverified_context()  # noqa: S323 (a server of our own, gone in a moment)
    try:
        with urllib.request.urlopen(f"https://127.0.0.1:{port}/readyz", timeout=2, context=context) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def plan() -> list[Manifest]:
    """A pool, its class and eight Deployments of one GPU: about ten objects."""
    gpu = {"key": "karpenter.k8s.aws/instance-gpu-name", "operator": "In", "values": ["l40s"]}
    taint = {"key": "nvidia.com/gpu", "effect": "NoSchedule"}
    reference = {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "gpu"}
    node = {"nodeClassRef": reference, "requirements": [gpu], "taints": [taint]}
    selectors = [{"tags": {"karpenter.sh/discovery": "demo"}}]
    node_class: dict[str, object] = {
        "amiSelectorTerms": [{"alias": "al2023@v20260714"}],
        "role": "node",
        "subnetSelectorTerms": selectors,
        "securityGroupSelectorTerms": selectors,
    }
    return [
        Manifest(_object("karpenter.k8s.aws/v1", "EC2NodeClass", "gpu", node_class), ""),
        Manifest(_object("karpenter.sh/v1", "NodePool", "gpu", {"template": {"spec": node}}), ""),
        *(Manifest(_deployment(f"model-{number}"), "") for number in range(8)),
    ]


def _object(api_version: str, kind: str, name: str, spec: dict[str, object]) -> dict[str, object]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": spec}


def _deployment(name: str) -> dict[str, object]:
    container = {"name": "engine", "image": "example/engine:1", "resources": {"limits": {"nvidia.com/gpu": "1"}}}
    pod = {"containers": [container], "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}]}
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod}
    body = _object("apps/v1", "Deployment", name, {"selector": {"matchLabels": labels}, "template": template})
    body["metadata"] = {"name": name, "namespace": "llm"}
    return body


if __name__ == "__main__":
    main()
