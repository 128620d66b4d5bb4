"""A bare Kinesis endpoint for producers.py, with one stream. It stores nothing.

It takes any credentials, checks no signature and has no quota, so that only the client is measured. With one shard the
response to PutRecords is the same bytes for every request with the same number of records. With several the response
names the shard of each record, as the producer compares it with its map; only truckstream's way to write a body is read
then. The sequence numbers have the shape of the service's.

    python -m support.bare_kinesis LATENCY_SECONDS [SHARDS [CERTIFICATE KEY]]
"""

import bisect
import functools
import hashlib
import json
import re
import ssl
import sys

import uvloop
from support.bare_server import BareProtocol, serve

SEQUENCE = 49671503294478120129654712001378922376018214567898523 * 1000
#: Counted to find the number of records: botocore writes `"PartitionKey": "…"`, others write no space, and base64
#: contains no quotes.
RECORD_MARK = b'"PartitionKey"'
#: As truckstream writes a record's key.
PARTITION_KEY = re.compile(rb'"PartitionKey":"([^"]*)"')
#: The number of hash keys.
HASH_KEYS = 2**128


def shard_id(index):
    return f"shardId-{index:012}"


def control_responses(edges):
    """Return the responses to the calls that describe the stream, by operation. Shards lie between the `edges`."""
    shards = len(edges) - 1
    listed = [
        {
            "ShardId": shard_id(index),
            "HashKeyRange": {"StartingHashKey": str(edges[index]), "EndingHashKey": str(edges[index + 1] - 1)},
            "SequenceNumberRange": {"StartingSequenceNumber": str(SEQUENCE)},
        }
        for index in range(shards)
    ]
    stream = {"StreamName": "trucks", "StreamStatus": "ACTIVE"}
    documents = {
        b"ListShards": {"Shards": listed},
        b"DescribeStreamSummary": {"StreamDescriptionSummary": {**stream, "OpenShardCount": shards}},
        b"DescribeStream": {"StreamDescription": {**stream, "HasMoreShards": False, "Shards": listed}},
    }
    return {operation: http_response(document) for operation, document in documents.items()}


def http_response(document):
    return http_message(json.dumps(document, separators=(",", ":")).encode())


def http_message(body):
    head = (
        "HTTP/1.1 200 OK\r\nx-amzn-RequestId: e4d1c5a0-0000-0000-0000-000000000000\r\n"
        f"Content-Type: application/x-amz-json-1.1\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@functools.cache
def put_records_response(count):
    stored = [{"SequenceNumber": str(SEQUENCE + index), "ShardId": shard_id(0)} for index in range(count)]
    return http_response({"FailedRecordCount": 0, "Records": stored, "EncryptionType": "KMS"})


class StoredByKey(dict):
    """The response to a record, by its partition key as a body has it."""

    def __init__(self, edges):
        self._edges = edges

    def __missing__(self, key):
        hash_key = int.from_bytes(hashlib.md5(key, usedforsecurity=False).digest(), "big")
        index = bisect.bisect_right(self._edges, hash_key) - 1
        stored = {"SequenceNumber": str(SEQUENCE), "ShardId": shard_id(index)}
        self[key] = json.dumps(stored, separators=(",", ":")).encode()
        return self[key]


class BareKinesis(BareProtocol):
    def __init__(self, latency, control, stored):
        super().__init__(latency)
        self._control = control
        self._stored = stored

    def handle_request(self, head):
        operation = head.split(b"Kinesis_20131202.", 1)[1].split(b"\r\n", 1)[0]
        if operation in self._control:
            self.respond(self._control[operation])
        elif self._stored is None:
            self.respond_late(put_records_response(self.received.count(RECORD_MARK, 0, self.size)))
        else:
            stored = b",".join([self._stored[key] for key in PARTITION_KEY.findall(self.received, 0, self.size)])
            self.respond_late(http_message(b'{"FailedRecordCount":0,"Records":[%b],"EncryptionType":"KMS"}' % stored))


async def main(latency, shards=1, certificate=None, key=None):
    tls = None
    if certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate, key)
    count = int(shards)
    edges = [HASH_KEYS * index // count for index in range(count + 1)]
    control, stored = control_responses(edges), StoredByKey(edges) if count > 1 else None
    await serve(lambda: BareKinesis(float(latency), control, stored), tls)


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
