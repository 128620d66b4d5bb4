"""A bare endpoint for producers.py: answers what a producer asks of one stream, at the least cost, and stores nothing.

It takes any credentials, checks no signature and has no quota, so that what is measured is the client. An answer to
PutRecords is the same bytes for every request of as many records. The sequence numbers are of the service's shape.

    python endpoint.py LATENCY_SECONDS [CERTIFICATE KEY]

prints its port and serves until it is ended.
"""

import asyncio
import functools
import json
import ssl
import sys

import uvloop

SHARD = "shardId-000000000000"
SEQUENCE = 49671503294478120129654712001378922376018214567898523 * 1000
#: Botocore writes `"PartitionKey": "…"`, others no space; inside base64 there is no quote.
RECORD_MARK = b'"PartitionKey"'

CONTROL = {
    b"ListShards": {
        "Shards": [
            {
                "ShardId": SHARD,
                "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": str(2**128 - 1)},
                "SequenceNumberRange": {"StartingSequenceNumber": str(SEQUENCE)},
            }
        ]
    },
    b"DescribeStreamSummary": {
        "StreamDescriptionSummary": {"StreamName": "trucks", "StreamStatus": "ACTIVE", "OpenShardCount": 1}
    },
}
CONTROL[b"DescribeStream"] = {
    "StreamDescription": {
        "StreamName": "trucks",
        "StreamStatus": "ACTIVE",
        "HasMoreShards": False,
        **CONTROL[b"ListShards"],
    }
}


def http(answer):
    body = json.dumps(answer, separators=(",", ":")).encode()
    head = (
        "HTTP/1.1 200 OK\r\nx-amzn-RequestId: e4d1c5a0-0000-0000-0000-000000000000\r\n"
        f"Content-Type: application/x-amz-json-1.1\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@functools.cache
def put_records_answer(count):
    stored = [{"SequenceNumber": str(SEQUENCE + index), "ShardId": SHARD} for index in range(count)]
    return http({"FailedRecordCount": 0, "Records": stored, "EncryptionType": "KMS"})


class Endpoint(asyncio.Protocol):
    def __init__(self, latency):
        self._latency = latency
        self._loop = asyncio.get_running_loop()
        self._parts = []
        self._head = b""
        self._missing = 0

    def connection_made(self, transport):
        self._transport = transport

    def data_received(self, data):
        """Requests come one after the other: no client sends the next before the answer."""
        if not self._missing:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            self._head, data = self._head[:end], self._head[end + 4 :]
            length = self._head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]
            self._missing = int(length)
        self._parts.append(data)
        self._missing -= len(data)
        if not self._missing:
            body, self._parts = b"".join(self._parts), []
            head, self._head = self._head, b""
            self._answer(head, body)

    def _answer(self, head, body):
        operation = head.split(b"Kinesis_20131202.", 1)[1].split(b"\r\n", 1)[0]
        control = CONTROL.get(operation)
        answer = http(control) if control else put_records_answer(body.count(RECORD_MARK))
        if self._latency and not control:
            self._loop.call_later(self._latency, self._transport.write, answer)
        else:
            self._transport.write(answer)


async def main(latency, certificate=None, key=None):
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Endpoint(float(latency)), "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
