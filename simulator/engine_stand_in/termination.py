"""How a pod ends: what kubelet, the endpoints and the process do, with the numbers of a rendered pod.

Kubernetes removes a deleted pod from the endpoints and starts preStop at the same time; whoever sends requests learns
of it later. When preStop ends comes SIGTERM, and SIGKILL at terminationGracePeriodSeconds, counted from the deletion
(Kubernetes documentation, Pod Lifecycle, Termination of Pods). Here real signals go to a stand-in's process.
"""

import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers of one pod, in its own seconds, and how fast its time passes here.

    Attributes:
        arguments: of its engine.
        pre_stop: sleep before SIGTERM.
        grace: terminationGracePeriodSeconds.
        scale: seconds of the pod in one second here.
    """

    arguments: tuple[str, ...]
    pre_stop: float
    grace: float
    scale: float

    @classmethod
    def of(cls, deployment: Mapping[str, Any], scale: float) -> "Numbers":
        """Those of a rendered Deployment, whose first container is the engine."""
        pod = deployment["spec"]["template"]["spec"]
        engine = pod["containers"][0]
        sleep = engine["lifecycle"]["preStop"]["sleep"]["seconds"]
        return cls(tuple(engine["args"]), float(sleep), float(pod["terminationGracePeriodSeconds"]), scale)


@dataclass(slots=True)
class Endpoints:
    """Addresses to which requests are sent; they may be read while others change them."""

    ready: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, address: str) -> None:
        """A server became ready."""
        with self._lock:
            self.ready.append(address)

    def remove(self, address: str) -> None:
        """Nothing is sent there any more."""
        with self._lock:
            self.ready.remove(address)

    def now(self) -> list[str]:
        """Those of this moment."""
        with self._lock:
            return list(self.ready)


def terminate(
    process: subprocess.Popen[bytes], address: str, numbers: Numbers, endpoints: Endpoints, removal_seconds: float
) -> bool:
    """End a pod as Kubernetes does; returns when its process is gone.

    Args:
        removal_seconds: how long after the deletion the last sender still sends there, in the pod's seconds.

    Returns:
        Whether it ended by itself; False when it had to be killed.
    """
    deleted = time.monotonic()
    removal = threading.Timer(removal_seconds / numbers.scale, endpoints.remove, [address])
    removal.start()
    try:
        time.sleep(numbers.pre_stop / numbers.scale)
        process.send_signal(signal.SIGTERM)
        process.wait(max(0.0, deleted + numbers.grace / numbers.scale - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
    finally:
        removal.join()
    return True
