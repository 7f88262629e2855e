"""The AWS API for the delete hooks: moto behind a port, because the hooks are processes of their own.

moto answers calls inside one process; its own server needs a web framework. Here a request is taken from the network
and made again inside moto, for the service that its signature names. Nothing leaves the machine.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import requests
from moto import mock_aws

# The access key id is the account's number here: moto keeps accounts apart, and a hook must only touch its own.
_SCOPE = re.compile(r"Credential=(?P<account>\d+)/\d+/(?P<region>[\w-]+)/(?P<service>\w+)/aws4_request")
_GLOBAL = {"iam": "iam.amazonaws.com", "sts": "sts.amazonaws.com"}


class _Forwarder(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        scope = _SCOPE.search(self.headers.get("Authorization", ""))
        if scope is None:
            self.send_error(403, "MissingAuthenticationToken")
            return
        host = _GLOBAL.get(scope["service"], f"{scope['service']}.{scope['region']}.amazonaws.com")
        headers = {key: value for key, value in self.headers.items() if key.lower() != "host"}
        headers["x-moto-account-id"] = scope["account"]
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = requests.post(f"https://{host}{self.path}", data=body, headers=headers, timeout=30)
        self.send_response(answer.status_code)
        self.send_header("Content-Type", answer.headers.get("Content-Type", "text/xml"))
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, *_: object) -> None:
        """Silence: pytest shows what fails."""


@contextmanager
def aws_api() -> Iterator[str]:
    """An endpoint that answers as AWS does, empty at first."""
    with mock_aws():
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Forwarder)
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
