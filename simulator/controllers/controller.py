"""What an operator's controller needs in order to run as a process: plain facts, and two functions of where it runs."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from infra.plan.manifests import Manifest
from simulator.client import Json
from simulator.crds import CrdSource
from simulator.folders import write_whole
from simulator.toolchain import Tool

# Where controller-runtime's webhook server looks for `tls.crt` and `tls.key`, below the folder for temporary files.
# Source: controller-runtime, pkg/webhook/server.go, Options.CertDir.
_CERTIFICATES = Path("k8s-webhook-server") / "serving-certs"


@dataclass(frozen=True, slots=True)
class Place:
    """Where one controller runs.

    Attributes:
        folder: its own, inside the environment's.
        kubeconfig: of the environment's administrator.
        webhook_port: free port on 127.0.0.1 at which the API server will call its webhooks.
        health_port: free port on 127.0.0.1 for its health endpoint, plain HTTP.
    """

    folder: Path
    kubeconfig: Path
    webhook_port: int
    health_port: int

    @property
    def temporary(self) -> Path:
        """Its folder for temporary files (`TMPDIR`, set for every controller)."""
        return self.folder / "tmp"

    @property
    def certificates(self) -> Path:
        """Folder with `tls.crt` and `tls.key` for its webhooks; the one controller-runtime takes when told nothing."""
        return self.temporary / _CERTIFICATES

    def file(self, name: str, text: str) -> Path:
        """Write a file the controller reads; another text is another path, so that it is started again."""
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        path = self.folder / f"{digest}-{name}"
        if not path.exists():
            write_whole(path, text)
        return path


@dataclass(frozen=True, slots=True)
class Launch:
    """How the process is started.

    Attributes:
        arguments: its command line.
        variables: environment variables besides `KUBECONFIG` and `TMPDIR`, which every controller gets.
    """

    arguments: Sequence[str]
    variables: Mapping[str, str] = field(default_factory=dict)


def nothing() -> Sequence[Json]:
    """No objects."""
    return ()


@dataclass(frozen=True, slots=True)
class Controller:
    """One controller.

    Attributes:
        tool: its binary; built only when an environment asks for the controller. Its name is the process's.
        launch: how it is started at a place.
        groups: API groups; a plan with an object of one of them calls for the controller.
        kinds: kinds of these groups that call for it; empty: any of them.
        definitions: the CRDs that it watches; all are installed with it, used by the plan or not, and no others of
            the same modules.
        before: objects it needs to start, such as its namespace and configuration, in order of application; gets the
            plan's objects, for what an operator that is not run would make of them.
        webhooks: its admission webhook configurations as upstream writes them, with `clientConfig.service`.
        conversions: names of CRDs whose versions its webhook converts, at `/convert`.
        after: objects that its webhooks must accept, applied once they answer, such as default runtimes.
        health_path: answers 200 once it works.
    """

    tool: Tool
    launch: Callable[[Place], Launch]
    groups: frozenset[str]
    kinds: frozenset[str] = frozenset()
    definitions: Sequence[CrdSource] = ()
    before: Callable[[Sequence[Manifest]], Sequence[Json]] = lambda _plan: ()
    webhooks: Callable[[], Sequence[Json]] = nothing
    conversions: Sequence[str] = ()
    after: Callable[[], Sequence[Json]] = nothing
    health_path: str = "/readyz"

    @property
    def name(self) -> str:
        """Name of its process, of its log and of its ports."""
        return self.tool.name

    def called_for_by(self, used: Iterable[tuple[str, str]]) -> bool:
        """Whether a plan with these API groups and kinds calls for it."""
        return any(group in self.groups and kind in (self.kinds or {kind}) for group, kind in used)
