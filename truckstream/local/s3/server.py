"""The faults in front of moto's S3, as a WSGI application.

Requests to `CONTROL` set the faults (POST) and read how often they have struck (GET).
"""

from __future__ import annotations

import json
import socket
import time
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from truckstream.local.s3.faults import KINDS, S3Fault, S3Faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from random import Random

    WsgiApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

__all__ = ["CONTROL", "FaultyS3"]

CONTROL: Final = "/_truckstream/faults"

#: Longer than clients wait. Each request has a thread, so that the others go on.
_STALL_SECONDS: Final = 60

_REASONS: Final = {200: "OK", 403: "Forbidden", 500: "Internal Server Error", 503: "Slow Down"}


class FaultyS3:
    """moto's application, with faults for the requests for objects and for listings."""

    def __init__(self, moto: WsgiApplication, random: Random) -> None:
        self._moto = moto
        self._random = random
        self._faults = S3Faults()
        self._lock = Lock()  # each request has a thread

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request."""
        if environ["PATH_INFO"] == CONTROL:
            return self._control(environ, start_response)
        kind = None
        if (method := _method_of(environ)) is not None:
            with self._lock:
                kind = self._faults.strike(method, self._random)
        if kind is None:
            return self._moto(environ, start_response)
        if kind == "reset-after":  # moto reads the request and stores the object; its response is dropped
            list(self._moto(environ, lambda *_: None))
            return _reset(environ)
        if kind == "stall":
            time.sleep(_STALL_SECONDS)
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if (response := KINDS[kind]) is not None:
            status, code = response
            body = f"<Error><Code>{code}</Code><Message>injected by the test</Message></Error>".encode()
            return _respond(start_response, status, body, "application/xml")
        return _reset(environ)

    def _control(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        with self._lock:
            if environ["REQUEST_METHOD"] == "POST":
                given = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
                self._faults.set([S3Fault(**fault) for fault in given])
            body = json.dumps(self._faults.hits).encode()
        return _respond(start_response, 200, body, "application/json")


def _method_of(environ: Mapping[str, Any]) -> str | None:
    """Return the method of a request as in `S3Fault`; None for a request that no fault strikes."""
    bucket, _, key = environ["PATH_INFO"].strip("/").partition("/")
    method: str = environ["REQUEST_METHOD"]
    if key:
        return method
    return "LIST" if bucket and method == "GET" and "list-type=" in environ["QUERY_STRING"] else None


def _reset(environ: dict[str, Any]) -> Iterable[bytes]:
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError("injected by the test")  # which the server takes for a client that has left


def _respond(start_response: Callable[..., Any], status: int, body: bytes, content_type: str) -> Iterable[bytes]:
    headers = [("Content-Type", content_type), ("Content-Length", str(len(body)))]
    start_response(f"{status} {_REASONS[status]}", headers)
    return [body]
