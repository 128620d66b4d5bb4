"""A bare S3 endpoint: it accepts every PUT, stores nothing, and checks no signature and no precondition.

Only the object with which a store proves that it never overwrites exists already.

python -m support.bare_s3 LATENCY_SECONDS
"""

import sys

import uvloop
from support.bare_server import BareProtocol, serve

CREATED = (
    b'HTTP/1.1 200 OK\r\nETag: "9a0364b9e99bb480dd25e1f0284c8555"\r\nx-amz-request-id: 0A49CE4060975EAC\r\n'
    b"Content-Length: 0\r\n\r\n"
)
EXISTS = b"HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\n\r\n"
PROBE = b"/_truckstream_conditional_writes "


class BareS3(BareProtocol):
    def handle_request(self, head):
        assert head.startswith(b"PUT "), head
        self.respond_late(EXISTS if PROBE in head else CREATED)


async def main(latency):
    await serve(lambda: BareS3(latency))


if __name__ == "__main__":
    uvloop.run(main(float(sys.argv[1])))
