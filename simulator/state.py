"""What one environment remembers between commands: ports, processes, applied objects. One JSON file, written whole."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from infra.errors import PlatformError
from simulator.folders import write_whole

# Raised when an older file cannot be read any more; an environment is cheap to make again.
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """A process that was started.

    Attributes:
        name: the tool, such as `kube-apiserver`.
        pid: process id.
        created: its start time in seconds since the epoch, as psutil gives it: pid and start time together name a
            process for good, a pid alone is given to somebody else one day.
        command: how it was started.
    """

    name: str
    pid: int
    created: float
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ObjectKey:
    """Names one object of the Kubernetes API; `namespace` is empty for cluster scope."""

    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace + '/' if self.namespace else ''}{self.name}"


@dataclass(slots=True)
class State:
    """The remembered state of one environment.

    Attributes:
        ports: by purpose (`apiserver`, `etcd`, `etcd-peer`), on 127.0.0.1.
        processes: in the order they were started.
        applied: objects this project applied and will prune when the plan drops them, in the order of application.
        nodes: names of the simulated nodes.
        nodes_from: what makes the nodes, `plan` or `karpenter` (`node_sources`).
        phases: seconds the last `up` spent, by phase.
    """

    ports: dict[str, int] = field(default_factory=dict)
    processes: list[ProcessRecord] = field(default_factory=list)
    applied: list[ObjectKey] = field(default_factory=list)
    nodes: list[str] = field(default_factory=list)
    nodes_from: str = "plan"
    phases: dict[str, float] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Replace the file at `path`."""
        write_whole(path, json.dumps({"format": _FORMAT, **asdict(self)}, indent=1))

    @classmethod
    def load(cls, path: Path) -> "State | None":
        """The state at `path`, None when there is no file.

        Raises:
            PlatformError: when the file is not one this version wrote.
        """
        try:
            data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            data = {_FORMAT: data}[data.pop("format")]  # another format is a KeyError
            processes = [ProcessRecord(**{**item, "command": tuple(item["command"])}) for item in data["processes"]]
            applied = [ObjectKey(**item) for item in data["applied"]]
            return cls(**{**data, "processes": processes, "applied": applied})
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise PlatformError(
                f"the state of the environment in {path.parent} cannot be read",
                f"remove the environment with `gpu-platform down {path.parent.name}`, then bring it up again",
            ) from error
