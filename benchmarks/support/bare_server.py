"""Run a bare HTTP server in a process of its own. It responds at the least cost, so only the client is measured."""

import asyncio
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

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


class BareProtocol(asyncio.Protocol):
    """Reads requests one after the other: no client sends the next one before it has the response."""

    def __init__(self, latency):
        self._latency = latency
        self._loop = asyncio.get_running_loop()
        self._head = b""
        self._body = []
        self._missing = None

    def connection_made(self, transport):
        self._transport = transport

    def data_received(self, data):
        if self._missing is None:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            self._head, data = self._head[:end], self._head[end + 4 :]
            headers = self._head.lower() + b"\r\n"
            self._missing = int(headers.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0] or 0)
            if b"\r\nexpect: 100-continue\r\n" in headers:
                self._transport.write(CONTINUE)
        self._body.append(data)
        self._missing -= len(data)
        if not self._missing:
            head, body = self._head, b"".join(self._body)
            self._head, self._body, self._missing = b"", [], None
            self.handle_request(head, body)

    def handle_request(self, head, body):
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
