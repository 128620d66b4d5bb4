"""An HTTP server of the standard library that serves in a thread of its own."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import HTTPServer

ServerT = TypeVar("ServerT", bound="HTTPServer")


@contextlib.contextmanager
def serving(server: ServerT) -> Iterator[ServerT]:
    """Serve until the context ends, and close the server."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
