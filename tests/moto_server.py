"""moto's AWS in a thread of the tests' process."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def running_moto() -> Iterator[str]:
    """Serve moto, and yield its URL."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - most of a second, for one process of pytest

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()
