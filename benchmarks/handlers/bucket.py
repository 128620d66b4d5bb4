"""A bare S3 endpoint: says yes to every PUT at the least cost and stores nothing.

It checks no signature and no precondition. Another method is answered with the number of PUTs so far, as text.

    python bucket.py LATENCY_SECONDS

prints its port and serves until it is ended.
"""

import asyncio
import sys

import uvloop

CREATED = (
    b'HTTP/1.1 200 OK\r\nETag: "9a0364b9e99bb480dd25e1f0284c8555"\r\nx-amz-request-id: 0A49CE4060975EAC\r\n'
    b"Content-Length: 0\r\n\r\n"
)
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Bucket(asyncio.Protocol):
    puts = 0

    def __init__(self, latency):
        self._latency = latency
        self._loop = asyncio.get_running_loop()
        self._head = b""
        self._missing = None

    def connection_made(self, transport):
        self._transport = transport

    def data_received(self, data):
        """Requests come one after the other: no client sends the next before the answer."""
        if self._missing is None:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            head, data = self._head[:end].lower() + b"\r\n", self._head[end + 4 :]
            self._head = head
            length = head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
            self._missing = int(length or 0)
            if b"\r\nexpect: 100-continue\r\n" in head:
                self._transport.write(CONTINUE)
        self._missing -= len(data)
        if not self._missing:
            head, self._head, self._missing = self._head, b"", None
            self._answer(head)

    def _answer(self, head):
        if not head.startswith(b"put "):
            count = str(Bucket.puts).encode()
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(count), count))
            return
        Bucket.puts += 1
        self._loop.call_later(self._latency, self._transport.write, CREATED)


async def main(latency):
    server = await asyncio.get_running_loop().create_server(lambda: Bucket(latency), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(float(sys.argv[1])))
