"""The sidecar's script: finished files of a scratch folder go to a store while training goes on. Standard library only.

A file is finished when nobody has written to it between two looks. It is copied under a name of its own, synced, and
only then renamed: a reader of the store never sees half a checkpoint. Deletions are not repeated in the store. On
SIGTERM, which a sidecar gets after the trainer has ended, one last round copies everything that is left.
"""

import argparse
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from types import FrameType

PART = ".part"

Seen = dict[Path, tuple[int, int]]


def finished(scratch: Path, before: Seen) -> tuple[list[Path], Seen]:
    """Files that are as they were at the last look, and how all of them are now."""
    now: Seen = {}
    for path in sorted(scratch.rglob("*")):
        if path.is_file() and not path.is_symlink():
            state = path.stat()
            now[path] = (state.st_size, state.st_mtime_ns)
    return [path for path, state in now.items() if before.get(path) == state], now


def copy_new(scratch: Path, store: Path, paths: list[Path]) -> int:
    """Copy what the store lacks or has of another size or time; the number of files copied."""
    copied = 0
    for path in paths:
        target = store / path.relative_to(scratch)
        if _same(path, target):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(target.name + PART)
        shutil.copyfile(path, part)
        with part.open("rb+") as out:
            os.fsync(out.fileno())
        shutil.copystat(path, part)
        part.rename(target)
        print(f"copied {target}", flush=True)
        copied += 1
    return copied


def _same(path: Path, target: Path) -> bool:
    if not target.is_file():
        return False
    ours, theirs = path.stat(), target.stat()
    return ours.st_size == theirs.st_size and int(ours.st_mtime) == int(theirs.st_mtime)


class _EndedError(Exception):
    """The pod ends."""


def _end(_: int, __: FrameType | None) -> None:
    raise _EndedError


def main(words: list[str] | None = None) -> int:
    """Runs until SIGTERM; 0 when everything is in the store."""
    parser = argparse.ArgumentParser(description="Copy finished checkpoints from scratch to a store.")
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--every", type=float, required=True)
    args = parser.parse_args(words)
    signal.signal(signal.SIGTERM, _end)
    seen: Seen = {}
    try:
        while True:
            paths, seen = finished(args.scratch, seen)
            copy_new(args.scratch, args.store, paths)
            time.sleep(args.every)
    except _EndedError:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _, everything = finished(args.scratch, {})
    copy_new(args.scratch, args.store, list(everything))
    return 0


if __name__ == "__main__":
    sys.exit(main())
