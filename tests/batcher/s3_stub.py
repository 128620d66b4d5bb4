"""A small S3 stub with scripted failures: PUT with If-None-Match, GET and HEAD, over persistent connections."""

from __future__ import annotations

import contextlib
import http.server
import socket
import struct
import threading
from collections.abc import Mapping  # noqa: TC003 - a NamedTuple evaluates its annotations
from typing import TYPE_CHECKING, NamedTuple
from xml.sax.saxutils import escape

from tests.threaded_server import serving
from truckstream.batcher.object_store.conditional_writes import PROBE_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator


class ErrorResponse(NamedTuple):
    """An error response of S3, in the form that S3 sends. `elements` are further elements of the body."""

    status: int
    code: str
    message: str = ""
    elements: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}

    def body(self) -> bytes:
        content = {"Code": self.code, "Message": self.message, **self.elements, "RequestId": "TX234S0F24A06C7"}
        elements = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in content.items())
        return f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{elements}</Error>'.encode()


SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
TIMED_OUT = b"<Error><Code>RequestTimeout</Code></Error>"


class S3Stub:
    """A server of objects. `script` holds one entry for each of the next requests; later requests succeed.

    An entry is None for success, an `ErrorResponse`, the status of an error response, or one of these:

    - "reset": the connection is reset before the object is stored.
    - "lost": the connection is reset after the object is stored.
    - "stall": there is no response until the server stops.
    - "die": the response is sent, and then the idle connection is reset.

    The requests that prove that the store never overwrites follow `probe_script` and are listed in `probes`.
    """

    def __init__(self, *, overwrites: bool = False) -> None:
        """`overwrites` is True for a store that ignores If-None-Match."""
        self.overwrites = overwrites
        self.objects = {}
        self.script = []
        #: (verb, key, headers in lower case, client's port)
        self.requests = []
        self.probe_script = []
        #: (key, body, headers in lower case)
        self.probes = []
        self.over = threading.Event()

    @contextlib.contextmanager
    def running(self) -> Iterator[str]:
        stub = self

        class Handler(_S3Handler):
            owner = stub

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        with serving(server):
            try:
                yield f"http://127.0.0.1:{server.server_port}"
            finally:
                self.over.set()


class _S3Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: S3Stub

    def log_message(self, *_: object) -> None:
        pass

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith(f"/{PROBE_NAME}"):
            return self._probe(body)
        act = self._begin()
        if act == "reset":
            return self._reset()
        if act == "stall":
            self.owner.over.wait(30)
            return self._reset()
        if isinstance(act, (int, ErrorResponse)):
            return self._refuse(act)
        exists = self.path in self.owner.objects and not self.owner.overwrites
        if not exists:
            self.owner.objects[self.path] = (body, dict(self.headers))
        if act == "lost":
            return self._reset()
        self._respond(412 if exists else 200)
        if act == "die":
            self.wfile.flush()
            self._reset()
        return None

    def _refuse(self, act: int | ErrorResponse) -> None:
        if isinstance(act, ErrorResponse):
            return self._respond(act.status, act.body(), act.headers)
        return self._respond(act, SLOW_DOWN if act != 400 else TIMED_OUT)

    def _probe(self, body: bytes) -> None:
        exists = self.path in {path for path, _, _ in self.owner.probes} and not self.owner.overwrites
        self.owner.probes.append((self.path, body, {key.lower(): value for key, value in self.headers.items()}))
        status = 412 if exists else 200
        self._respond(self.owner.probe_script.pop(0) if self.owner.probe_script else status)

    def do_GET(self) -> None:
        act = self._begin()
        if isinstance(act, (int, ErrorResponse)):
            return self._refuse(act)
        found = self.owner.objects.get(self.path)
        if found is None:
            return self._respond(404)
        body, headers = found
        kept = {key: value for key, value in headers.items() if key.lower().startswith(("content-", "x-amz-meta-"))}
        return self._respond(200, body, {**kept, "Last-Modified": "Wed, 15 Jan 2025 14:30:25 GMT"})

    do_HEAD = do_GET  # noqa: N815 - http.server requires this name

    def _begin(self) -> ErrorResponse | int | str | None:
        headers = {key.lower(): value for key, value in self.headers.items()}
        self.owner.requests.append((self.command, self.path, headers, self.client_address[1]))
        return self.owner.script.pop(0) if self.owner.script else None

    def _respond(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in ({"ETag": '"1"'} | (headers or {}) | {"Content-Length": str(len(body))}).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with contextlib.suppress(OSError):
            self.connection.close()
