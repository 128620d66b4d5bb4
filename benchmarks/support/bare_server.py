"""Run a bare HTTP server in a process of its own. It responds at the least cost, so only the client is measured."""

import asyncio
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

#: Room for a request of 500 records of 498 bytes; it grows for larger ones.
BUFFER_BYTES = 512 * 1024
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@contextmanager
def bare_server(module, *arguments):
    """Run the server of `support/MODULE.py` with these arguments, and yield its port."""
    command = [sys.executable, "-m", f"support.{module}", *map(str, arguments)]
    server = subprocess.Popen(command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, text=True)
    try:
        yield int(server.stdout.readline())
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


class BareProtocol(asyncio.BufferedProtocol):
    """Reads requests one after the other: no client sends the next one before it has the response.

    They are received in one buffer. With an object for each piece that came, the endpoint took 1.4 µs a record in place
    of 0.6, and took so much of the caches and the memory's bandwidth that a fast client became up to a tenth slower.
    """

    def __init__(self, latency):
        self._latency = latency
        self._loop = asyncio.get_running_loop()
        #: The request, as far as it has come: so many bytes.
        self.received = bytearray(BUFFER_BYTES)
        self.size = 0
        # Where the request's body begins, once its head is complete, and where it ends.
        self._body_at = None
        self._end = None

    def connection_made(self, transport):
        self._transport = transport

    def get_buffer(self, sizehint):  # noqa: ARG002 - all of the room may be used
        return memoryview(self.received)[self.size :]

    def buffer_updated(self, nbytes):
        self.size += nbytes
        if self._body_at is None and not self._read_head():
            return
        if self.size == self._end:
            self.handle_request(bytes(self.received[: self._body_at]))
            self._body_at, self.size = None, 0
        elif self.size == len(self.received):
            self.received = self.received + bytes(self._end - self.size)

    def _read_head(self):
        """Read the head, and return whether it is complete."""
        end = self.received.find(b"\r\n\r\n", 0, self.size)
        if end < 0:
            return False
        headers = self.received[:end].lower() + b"\r\n"
        self._body_at = end + 4
        self._end = self._body_at + int(headers.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0] or 0)
        if b"\r\nexpect: 100-continue\r\n" in headers:
            self._transport.write(CONTINUE)
        return True

    def handle_request(self, head):
        """Respond to the request that is `received`."""
        raise NotImplementedError

    def respond(self, response):
        self._transport.write(response)

    def respond_late(self, response):
        """Respond after the latency."""
        if self._latency:
            self._loop.call_later(self._latency, self._transport.write, response)
        else:
            self._transport.write(response)


async def serve(make_protocol, tls=None):
    """Print the port, and serve until the process is ended."""
    server = await asyncio.get_running_loop().create_server(make_protocol, "127.0.0.1", 0, ssl=tls)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
