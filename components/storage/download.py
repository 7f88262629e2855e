"""The script that brings a model's files to a folder: this very file runs in the download Job and in init containers.

It needs nothing but Python's standard library. Files come over HTTPS from the Hub at one commit, several at a time. A
dropped connection is resumed by a Range request; a killed run is resumed by the next one. Every file is verified: by
the sha256 of its LFS pointer, or by its git blob id. It is renamed into place only then, and the marker comes last, so
whoever sees the marker sees a whole model. A lock keeps a second writer out; it ends with its process, also on EFS.
"""

import argparse
import fcntl
import fnmatch
import hashlib
import http.client
import json
import os
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

ENDPOINT = "https://huggingface.co"
MARKER = ".complete.json"
CHUNK = 8 * 2**20
# Attempts at one file without a byte gained, with 1, 2, 4, ... seconds between them: two minutes of an outage.
ATTEMPTS = 7
SILENCE_SECONDS = 60  # a connection that says nothing for so long is dead

# What no engine here reads: Meta's original format beside the converted one, and other formats of the same weights.
ALWAYS_SKIPPED = ("original/*", "*.gguf", "*.onnx", "*.msgpack", "*.h5")
SKIPPED_BESIDE_SAFETENSORS = ("*.bin", "*.pt", "*.pth")


class DownloadError(Exception):
    """What a person can read in the log of the Job."""


@dataclass(frozen=True)
class RemoteFile:
    """A file of the repository: exactly one of `sha256` (LFS) and `blob` (git) is there."""

    path: str
    size: int
    sha256: str = ""
    blob: str = ""

    def hasher(self) -> Any:  # hashlib's type has no public name
        """A hash that must end as `sha256` or `blob`. Git's blob id is SHA-1 of a header and the content."""
        return hashlib.sha256() if self.sha256 else hashlib.sha1(b"blob %d\0" % self.size, usedforsecurity=False)


class _TokenStaysHome(urllib.request.HTTPRedirectHandler):
    """The Hub redirects to a content network, which must not see the token; urllib would pass it on."""

    def redirect_request(  # noqa: PLR0917 - urllib's signature
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        made = super().redirect_request(req, fp, code, msg, headers, newurl)
        if made is not None and urllib.parse.urlsplit(newurl).netloc != urllib.parse.urlsplit(req.full_url).netloc:
            made.remove_header("Authorization")
        return made


class Hub:
    """The Hub, or what speaks like it."""

    def __init__(self, endpoint: str, repository: str, revision: str, token: str = "") -> None:
        if not endpoint.startswith(("https://", "http://")):
            raise DownloadError(f"{endpoint} is no HTTP address")
        self._endpoint, self._repository, self._revision = endpoint.rstrip("/"), repository, revision
        self._token = token
        self._opener = urllib.request.build_opener(_TokenStaysHome)

    def files(self) -> list[RemoteFile]:
        """Every file worth having, largest first, so that the longest download begins first."""
        url: str | None = f"{self._endpoint}/api/models/{self._repository}/tree/{self._revision}?recursive=true"
        rows: list[dict[str, Any]] = []
        while url:
            with self.open(url) as answer:
                rows += json.load(answer)
                url = _next_page(answer.headers.get("Link", ""))
        found = [_file(row) for row in rows if row.get("type") == "file"]
        skipped = list(ALWAYS_SKIPPED)
        if any(file.path.endswith(".safetensors") for file in found):
            skipped += SKIPPED_BESIDE_SAFETENSORS
        wanted = [file for file in found if not any(fnmatch.fnmatch(file.path, pattern) for pattern in skipped)]
        if not wanted:
            raise DownloadError(f"{self._repository} at {self._revision} holds no file that an engine reads")
        return sorted(wanted, key=lambda file: -file.size)

    def content(self, file: RemoteFile, start: int) -> http.client.HTTPResponse:
        """The file from the byte `start` on."""
        path = urllib.parse.quote(file.path)
        return self.open(f"{self._endpoint}/{self._repository}/resolve/{self._revision}/{path}", start)

    def open(self, url: str, start: int = 0) -> http.client.HTTPResponse:
        """The answer to a GET."""
        request = urllib.request.Request(url)  # noqa: S310 - the scheme was checked
        request.add_header("User-Agent", "gpu-platform")
        if self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        if start:
            request.add_header("Range", f"bytes={start}-")
        try:
            answer: http.client.HTTPResponse = self._opener.open(request, timeout=SILENCE_SECONDS)
        except urllib.error.HTTPError as error:
            if error.code in (401, 403, 404):
                raise DownloadError(
                    f"{url.partition('?')[0]}: HTTP {error.code}; is the name right, the revision a commit of it, and"
                    " the token one that may read it?"
                ) from None
            raise
        return answer


def _file(row: dict[str, Any]) -> RemoteFile:
    path = str(row["path"])
    if path.startswith("/") or ".." in path.split("/"):
        raise DownloadError(f"the repository names a file outside itself: {path!r}")
    lfs = row.get("lfs")
    if lfs:
        return RemoteFile(path, int(lfs["size"]), sha256=str(lfs["oid"]).removeprefix("sha256:"))
    return RemoteFile(path, int(row["size"]), blob=str(row["oid"]))


def _next_page(link: str) -> str | None:
    """The address with rel="next" in a Link header."""
    found = re.search(r'<([^>]+)>;[^,]*rel="next"', link)
    return found.group(1) if found else None


def fetch(hub: Hub, repository: str, revision: str, into: Path, workers: int = 4) -> None:
    """Bring everything to `into`; done at once where the marker already says so."""
    into.mkdir(parents=True, exist_ok=True)
    with locked(into):
        if is_complete(into, revision):
            say(f"{repository} at {revision} is there already")
            return
        files = hub.files()
        _check_space(files, into)
        say(f"{repository} at {revision}: {len(files)} files, {sum(file.size for file in files) / 2**30:.2f} GiB")
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(lambda file: fetch_file(hub, file, into / file.path), files))
        mark(into, repository, revision, files)


def fetch_file(hub: Hub, file: RemoteFile, target: Path) -> None:
    """Bring one file, going on where an earlier attempt or run ended."""
    if _is_there(target, file):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    failures = 0
    while (before := part.stat().st_size if part.exists() else 0) < file.size or not part.exists():
        try:
            _append(hub, file, part, before)
        except (OSError, http.client.HTTPException) as error:
            gained = part.exists() and part.stat().st_size > before
            failures = 0 if gained else failures + 1
            if failures >= ATTEMPTS:
                raise DownloadError(f"{file.path}: no progress in {ATTEMPTS} attempts, last: {error}") from error
            say(f"{file.path}: {error}; going on from byte {part.stat().st_size if part.exists() else 0}")
            time.sleep(2**failures if failures else 0.1)
    verify(file, part)
    part.rename(target)
    say(f"{file.path}: {file.size} bytes, verified")


def _append(hub: Hub, file: RemoteFile, part: Path, start: int) -> None:
    """One request. Fails when the connection ends before the file does, with what came on disk."""
    with hub.content(file, start) as answer:
        if start and answer.status != http.client.PARTIAL_CONTENT:
            start = 0  # a server that does not know ranges sends everything again
        with part.open("r+b" if start else "wb") as out:
            out.seek(start)
            while block := answer.read1(CHUNK):
                out.write(block)
                start += len(block)
            out.flush()
            os.fsync(out.fileno())
    if start < file.size:
        raise ConnectionError(f"the connection ended at byte {start} of {file.size}")


def verify(file: RemoteFile, part: Path) -> None:
    """Refuse, and remove, what is not what the repository says it is."""
    hasher, size, digest = file.hasher(), part.stat().st_size, file.sha256 or file.blob
    with part.open("rb") as content:
        while block := content.read(CHUNK):
            hasher.update(block)
    if size != file.size or hasher.hexdigest() != digest:
        part.unlink()
        raise DownloadError(
            f"{file.path}: refused and removed: {size} bytes with the digest {hasher.hexdigest()}, the repository says"
            f" {file.size} bytes with {digest}"
        )


def copy(source: Path, into: Path, workers: int = 8) -> None:
    """Copy a complete model from one folder to another, verifying on the way: a shared file system to local disks."""
    if not (source / MARKER).is_file():
        raise DownloadError(f"{source} holds no complete model: {MARKER} is missing")
    told, files = _told(source)
    into.mkdir(parents=True, exist_ok=True)
    with locked(into):
        if is_complete(into, told["revision"]):
            say(f"{into} is complete already")
            return
        _check_space(files, into)
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(lambda file: _copy_file(file, source / file.path, into / file.path), files))
        mark(into, told["repository"], told["revision"], files)


def _copy_file(file: RemoteFile, source: Path, target: Path) -> None:
    if _is_there(target, file):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    with source.open("rb") as content, part.open("wb") as out:
        while block := content.read(CHUNK):
            out.write(block)
    verify(file, part)
    part.rename(target)


def is_complete(folder: Path, revision: str) -> bool:
    """Whether the marker is there, of that revision, and every file with its size."""
    if not (folder / MARKER).is_file():
        return False
    told, files = _told(folder)
    return told["revision"] == revision and all(_is_there(folder / file.path, file) for file in files)


def _told(folder: Path) -> tuple[dict[str, Any], list[RemoteFile]]:
    """What the marker says."""
    told = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    return told, [RemoteFile(**row) for row in told["files"]]


def _is_there(path: Path, file: RemoteFile) -> bool:
    """A file was verified before it got its name, so its size is enough."""
    return path.is_file() and path.stat().st_size == file.size


def mark(folder: Path, repository: str, revision: str, files: list[RemoteFile]) -> None:
    """Say that everything is there."""
    told = {"repository": repository, "revision": revision, "files": [asdict(file) for file in files]}
    part = folder / f"{MARKER}.part"
    part.write_text(json.dumps(told), encoding="utf-8")
    part.rename(folder / MARKER)
    say(f"{folder} is complete")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One writer at a time; the lock ends with the process that holds it."""
    with (folder / ".lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DownloadError(f"another writer is at work in {folder}") from None
        yield


def _check_space(files: list[RemoteFile], folder: Path) -> None:
    parts = [folder / file.path for file in files]
    parts = [path if path.exists() else path.with_name(path.name + ".part") for path in parts]
    needed = sum(file.size for file in files) - sum(path.stat().st_size for path in parts if path.exists())
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if needed > free:
        raise DownloadError(f"{folder} has {free / 2**30:.2f} GiB free, the model needs {needed / 2**30:.2f} GiB more")


def say(text: str) -> None:
    """A line in the log, at once."""
    print(text, flush=True)


def main(words: list[str] | None = None) -> int:
    """0 done, 1 failed; what failed is the last line on standard error."""
    parser = argparse.ArgumentParser(description="Bring a model's files to a folder.")
    steps = parser.add_subparsers(dest="step", required=True)
    fetching = steps.add_parser("fetch")
    for name in ("repository", "revision", "into"):
        fetching.add_argument(f"--{name}", required=True)
    fetching.add_argument("--endpoint", default=os.environ.get("HF_ENDPOINT", ENDPOINT))
    copying = steps.add_parser("copy")
    for name in ("source", "into"):
        copying.add_argument(f"--{name}", required=True)
    args = parser.parse_args(words)
    try:
        if args.step == "copy":
            copy(Path(args.source), Path(args.into))
        else:
            hub = Hub(args.endpoint, args.repository, args.revision, os.environ.get("HF_TOKEN", ""))
            fetch(hub, args.repository, args.revision, Path(args.into))
    except (DownloadError, OSError) as error:
        print(f"failed: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
