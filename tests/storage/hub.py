"""A local server that speaks like the Hugging Face Hub, and that can drop connections or corrupt what it sends."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

REPOSITORY = "acme/tiny"
REVISION = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class FakeHub:
    """What it serves, and what it was asked.

    Attributes:
        large: files that LFS would hold, by path; verified by sha256.
        small: files of git itself; verified by blob id.
        drop_at: for these paths the connection ends after so many bytes of the first answer.
        corrupt: paths whose content is not what the listing says.
        ranges: whether Range is understood.
        asked: path, Range header and Authorization header of each request, with the port it came to.
        cdn: address of another server that content is redirected to.
    """

    large: dict[str, bytes] = field(default_factory=dict)
    small: dict[str, bytes] = field(default_factory=dict)
    drop_at: dict[str, int] = field(default_factory=dict)
    corrupt: set[str] = field(default_factory=set)
    ranges: bool = True
    token: str = ""
    cdn: str = ""
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    url: str = ""

    def listing(self) -> list[dict[str, object]]:
        """What the tree call answers."""
        rows: list[dict[str, object]] = [{"type": "directory", "path": "original", "oid": "0" * 40, "size": 0}]
        for path, content in self.large.items():
            digest = hashlib.sha256(content).hexdigest()
            lfs = {"oid": digest, "size": len(content), "pointerSize": 134}
            rows.append({"type": "file", "path": path, "oid": "1" * 40, "size": len(content), "lfs": lfs})
        for path, content in self.small.items():
            blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
            rows.append({"type": "file", "path": path, "oid": blob, "size": len(content)})
        return rows

    def content(self, path: str) -> bytes | None:
        """The bytes that are sent for a file."""
        content = {**self.large, **self.small}.get(path)
        if content is not None and path in self.corrupt:
            return bytes([content[0] ^ 1]) + content[1:]
        return content


@contextmanager
def serving(hub: FakeHub) -> Iterator[FakeHub]:
    """The hub on a free port of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def _handler(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Silence."""

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path).lstrip("/")
            asked = self.headers.get("Range", ""), self.headers.get("Authorization", "")
            hub.asked.append((path, *asked))
            if hub.token and not path.startswith("cdn/") and asked[1] != f"Bearer {hub.token}":
                self._answer(401, b"no")
            elif path == f"api/models/{REPOSITORY}/tree/{REVISION}":
                self._listing()
            elif path.startswith(f"{REPOSITORY}/resolve/{REVISION}/"):
                name = path.removeprefix(f"{REPOSITORY}/resolve/{REVISION}/")
                if hub.cdn:
                    self._answer(302, b"", {"Location": f"{hub.cdn}/cdn/{name}"})
                else:
                    self._content(name)
            elif path.startswith("cdn/"):
                self._content(path.removeprefix("cdn/"))
            else:
                self._answer(404, b"no such thing")

        def _listing(self) -> None:
            rows = hub.listing()
            if "cursor" in self.path:
                self._answer(200, json.dumps(rows[2:]).encode())
            else:  # two pages, as the Hub does for large repositories
                link = f'<{hub.url}{self.path}&cursor=2>; rel="next"'
                self._answer(200, json.dumps(rows[:2]).encode(), {"Link": link})

        def _content(self, name: str) -> None:
            content = hub.content(name)
            if content is None:
                self._answer(404, b"no such file")
                return
            start = int(self.headers["Range"][6:-1]) if hub.ranges and self.headers.get("Range") else 0
            body = content[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            dropped = hub.drop_at.pop(name, None)
            self.wfile.write(body[:dropped])
            if dropped is not None:
                self.close_connection = True

        def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for key, value in (headers or {}).items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
