"""The control plane's binaries: found in the cache, found on this machine, or built from their pinned Go modules.

A built binary lies in the cache under its version and a digest of everything that decides its content (go.mod, go.sum,
package, flags), so a moved pin can never meet an old binary, and a warm start neither calls Go nor runs the binary.
"""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from infra.errors import PlatformError
from infra.progress import Progress
from infra.versions import SIMULATOR_MODULES, TEST_MODULES
from simulator.folders import MODULES, cache_folder, disk_faults

# Lines of Go's output shown when a build fails: enough for the compiler's message, not for its whole trace.
_SHOWN_LINES = 12

# Below this version Go neither understands `go 1.26.0` in a go.mod nor fetches a newer toolchain by itself.
# Source: https://go.dev/doc/toolchain
_FIRST_GO_WITH_TOOLCHAINS = (1, 21)


@dataclass(frozen=True, slots=True)
class Tool:
    """One binary of the control plane, or of the tests.

    Attributes:
        name: file name of the binary.
        folder: folder under `modules` whose go.mod pins it.
        module: Go module, a key of `infra.versions.SIMULATOR_MODULES` or `TEST_MODULES`.
        package: Go package of its main function.
        version_arguments: what makes it print its version.
        stamps: variables that the linker sets, with `{version}`, `{major}` and `{minor}`; none where the version stands
            in the module's source.
        modules: where the folder lies.
    """

    name: str
    folder: str
    module: str
    package: str
    version_arguments: tuple[str, ...] = ("--version",)
    stamps: tuple[str, ...] = ()
    modules: Path = MODULES

    @property
    def version(self) -> str:
        """Pinned version, such as `v1.36.3`."""
        return {**TEST_MODULES, **SIMULATOR_MODULES}[self.module]

    @property
    def source(self) -> Path:
        """Folder of the go.mod that pins it."""
        return self.modules / self.folder

    @property
    def flags(self) -> tuple[str, ...]:
        """What `go build` gets. Symbols are left out (-s -w): a third of the size, and nobody debugs them here."""
        major, minor, _ = self.version.removeprefix("v").split(".")
        stamps = [f"-X {stamp.format(version=self.version, major=major, minor=minor)}" for stamp in self.stamps]
        link = ["-s", "-w", *stamps]
        return ("-trimpath", "-buildvcs=false", "-ldflags", " ".join(link))


def _kube(name: str, *version_arguments: str) -> Tool:
    module, version = "k8s.io/kubernetes", "k8s.io/component-base/version"
    stamps = tuple(f"{version}.git{part}={{{part.lower()}}}" for part in ("Version", "Major", "Minor"))
    return Tool(name, "kube", module, f"{module}/cmd/{name}", version_arguments or ("--version",), stamps)


TOOLS = (
    Tool("etcd", "etcd", "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/server/v3"),
    _kube("kube-apiserver"),
    _kube("kube-controller-manager"),
    _kube("kube-scheduler"),
    _kube("kubectl", "version", "--client"),
    Tool("kwok", "kwok", "sigs.k8s.io/kwok", "sigs.k8s.io/kwok/cmd/kwok"),
)


# Karpenter with its kwok provider. Not among TOOLS: only an environment that asks for it builds it.
KARPENTER = Tool("karpenter-kwok", "karpenter-kwok", "sigs.k8s.io/karpenter", ".")


def ensure_tools(progress: Progress, tools: Sequence[Tool] = TOOLS) -> dict[str, Path]:
    """Every tool's binary, built first where it is missing.

    Args:
        progress: told of one step with one unit a binary, only when something is missing.

    Raises:
        PlatformError: when Go is missing or too old, a download or build fails, or the disk is full.
    """
    found = {tool.name: path for tool in tools if (path := cached(tool)).is_file()}
    missing = [tool for tool in tools if tool.name not in found]
    if not missing:
        return found
    with disk_faults("building the control plane"):
        cache_folder().mkdir(parents=True, exist_ok=True)
        with progress.step("build the control plane", len(missing)) as step:
            for tool in missing:
                step.advance(0, f"{tool.name} {tool.version}")
                found[tool.name] = _on_this_machine(tool) or _build(tool)
                step.advance()
    return {tool.name: found[tool.name] for tool in tools}


def cached(tool: Tool) -> Path:
    """Where the binary of `tool` lies in the cache, built or not."""
    digest = hashlib.sha256()
    for part in (*(path.read_bytes() for path in _pins(tool)), tool.package.encode(), *map(str.encode, tool.flags)):
        digest.update(part + b"\0")
    return cache_folder() / "tools" / f"{tool.name}-{tool.version}-{digest.hexdigest()[:12]}" / tool.name


def run_go(arguments: Sequence[str], folder: Path, purpose: str) -> str:
    """Standard output of `go` with `arguments`, run in a module's folder.

    Args:
        purpose: what it is for, as the error's beginning: `building kubectl v1.36.3`.

    Raises:
        PlatformError: when Go is missing, too old, or fails; the message ends with the last lines it wrote.
    """
    go = shutil.which("go")
    if go is None:
        raise PlatformError(f"{purpose} needs Go, and there is no `go` on the path", f"install Go {_needed(folder)}")
    # A go.work above the cache or a -mod flag of the user's would change what is built.
    environment = {**os.environ, "GOWORK": "off", "GOFLAGS": "", "CGO_ENABLED": "0"}
    result = subprocess.run([go, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if result.returncode == 0:
        return result.stdout
    output = (result.stderr + result.stdout).strip()
    shown = "\n".join(f"    {line}" for line in output.splitlines()[-_SHOWN_LINES:])
    raise PlatformError(f"{purpose} failed; the last Go said:\n{shown}", _mend(output, go, folder))


def _mend(output: str, go: str, folder: Path) -> str:
    if "no space left on device" in output:
        return "free some disk space (Go's build cache grows to about 3 GB here), then run the command again"
    if "requires go >=" in output or "toolchain not available" in output or _is_ancient(go):
        return f"install Go {_needed(folder)}"
    if any(sign in output for sign in ("dial tcp", "lookup ", "i/o timeout", "Forbidden", "proxyconnect")):
        return "check the network and GOPROXY; Go downloads the pinned modules once"
    if "checksum mismatch" in output or "SECURITY ERROR" in output:
        return "the module differs from the one in go.sum: do not use it; check GOPROXY and GONOSUMDB"
    return "run the command again; if it fails the same way, `go clean -cache` and try once more"


def _is_ancient(go: str) -> bool:
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    said = subprocess.run([go, "version"], capture_output=True, text=True, check=False, env=environment).stdout
    match = re.search(r"go(\d+)\.(\d+)", said)
    return match is not None and (int(match[1]), int(match[2])) < _FIRST_GO_WITH_TOOLCHAINS


def _needed(folder: Path) -> str:
    match = re.search(r"^go (\S+)$", (folder / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    return f"{match[1]} or newer" if match else "of a current release"


def _pins(tool: Tool) -> list[Path]:
    """The files that decide what is built; a main function of our own is among them."""
    return [tool.source / "go.mod", tool.source / "go.sum", *sorted(tool.source.glob("*.go"))]


def _on_this_machine(tool: Tool) -> Path | None:
    """A binary on the path that says exactly the pinned version."""
    path = shutil.which(tool.name)
    if path is None:
        return None
    try:
        result = subprocess.run(
            [path, *tool.version_arguments], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None  # something of that name that does not run is as good as none
    version = re.search(r"\bv?(\d+\.\d+\.\d+[-.+\w]*)", result.stdout)
    return Path(path) if version and f"v{version[1]}" == tool.version else None


def _build(tool: Tool) -> Path:
    target = cached(tool)
    with FileLock(cache_folder() / "build.lock"):
        if target.is_file():  # another run built it while this one waited
            return target
        part = target.parent.with_name(f".{target.parent.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        try:
            purpose = f"building {tool.name} {tool.version}"
            command = ["build", *tool.flags, "-o", str(part / tool.name), tool.package]
            run_go(command, tool.source, purpose)
            shutil.rmtree(target.parent, ignore_errors=True)
            part.replace(target.parent)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return target
