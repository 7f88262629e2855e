"""Where the embedded environment keeps what it builds and what it runs. Nothing of it lies in the project's tree."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.errors import PlatformError

MODULES = Path(__file__).parent / "modules"

# A file name, a label value and a kubeconfig context at once; 40 characters leave room for suffixes in a label of 63.
_NAME = re.compile(r"^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$")


def cache_folder() -> Path:
    """Built binaries and what was read from modules; can be deleted at any time.

    `$GPU_PLATFORM_CACHE`, else `gpu-platform` under `$XDG_CACHE_HOME`, else under `~/.cache` (XDG base directories).
    """
    return _folder("GPU_PLATFORM_CACHE", "XDG_CACHE_HOME", Path(".cache"))


def state_folder() -> Path:
    """One folder an environment.

    `$GPU_PLATFORM_STATE`, else `gpu-platform` under `$XDG_STATE_HOME`, else under `~/.local/state`.
    """
    return _folder("GPU_PLATFORM_STATE", "XDG_STATE_HOME", Path(".local/state"))


def _folder(own: str, xdg: str, at_home: Path) -> Path:
    if chosen := os.environ.get(own):
        return Path(chosen).absolute()
    base = os.environ.get(xdg)
    return (Path(base).absolute() if base else Path.home() / at_home) / "gpu-platform"


def check_name(name: str) -> str:
    """`name`, when an environment may be called so.

    Raises:
        PlatformError: when it holds anything but lower-case letters, digits and inner hyphens, or over 40 characters.
    """
    if not _NAME.match(name):
        raise PlatformError(
            f"{name!r} cannot be the name of an environment",
            "use 1 to 40 lower-case letters, digits and hyphens; begin and end with a letter or digit",
        )
    return name


def write_whole(path: Path, text: str, mode: int = 0o600) -> None:
    """Write `text` so that a reader, or a start after a kill, finds the old file or the new one, never a part."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def disk_faults(what: str) -> Iterator[None]:
    """Turn a full, read-only or forbidden disk into an error the user can act on.

    Args:
        what: what was being done, such as `building kubectl`.
    """
    mends = {
        errno.ENOSPC: "free some space on that disk, then run the command again",
        errno.EDQUOT: "free some of your disk quota, then run the command again",
        errno.EROFS: "set GPU_PLATFORM_STATE and GPU_PLATFORM_CACHE to folders that can be written",
        errno.EACCES: "set GPU_PLATFORM_STATE and GPU_PLATFORM_CACHE to folders that you may write",
        errno.ENOTDIR: "set GPU_PLATFORM_STATE and GPU_PLATFORM_CACHE to folders; a file is in the way",
    }
    try:
        yield
    except OSError as error:
        if error.errno not in mends:
            raise
        place = f" at {error.filename}" if error.filename else ""
        raise PlatformError(f"{what} failed{place}: {error.strerror}", mends[error.errno]) from error


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of one environment under its folder."""

    folder: Path

    @property
    def state(self) -> Path:
        return self.folder / "state.json"

    @property
    def certificates(self) -> Path:
        return self.folder / "certificates"

    @property
    def tokens(self) -> Path:
        return self.folder / "tokens.csv"

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    @property
    def scheduler_config(self) -> Path:
        return self.folder / "scheduler.json"

    def log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"
