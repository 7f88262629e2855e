"""Starting and stopping stand-ins as processes of their own, for tests and scenarios."""

import http.client
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.errors import PlatformError
from simulator.client import wait_for

_ROOT = Path(__file__).resolve().parents[2]
_SECONDS = 15.0  # a Python that starts on a loaded machine


@dataclass(frozen=True, slots=True)
class RunningStandIn:
    """A stand-in that runs.

    Attributes:
        process: its process; signals go to it directly.
        port: where it listens on 127.0.0.1, once it has loaded.
    """

    process: subprocess.Popen[bytes]
    port: int

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of a GET; status 0 when the connection is refused."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except ConnectionRefusedError:
            return 0, ""
        finally:
            connection.close()

    def wait_ready(self) -> None:
        """Wait until /health answers 200.

        Raises:
            PlatformError: when it ends or is not ready in time.
        """
        if not wait_for(lambda: self.process.poll() is not None or self.get("/health")[0] == 200, _SECONDS, 0.02):
            raise PlatformError("the engine stand-in does not become ready", "see its output")
        if self.process.poll() is not None:
            raise PlatformError(f"the engine stand-in ended with {self.process.returncode}", "see its output")


@contextmanager
def stand_in(arguments: Sequence[str], *, ready: bool = True) -> Iterator[RunningStandIn]:
    """A stand-in with these arguments; whatever is left of it is killed at the end of the block.

    Args:
        ready: wait until it is.

    Raises:
        PlatformError: when it ends or is not ready in time.
    """
    with tempfile.TemporaryDirectory() as folder:
        port_file = Path(folder) / "port"
        command = [sys.executable, "-m", "simulator.engine_stand_in", *arguments, f"--stand-in-port-file={port_file}"]
        process = subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + _SECONDS
            while not port_file.exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise PlatformError(f"the engine stand-in ended with {process.poll()}", "see its output")
                time.sleep(0.01)
            running = RunningStandIn(process, int(port_file.read_text(encoding="utf-8")))
            if ready:
                running.wait_ready()
            yield running
        finally:
            process.kill()
            process.wait()
