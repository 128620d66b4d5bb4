"""A bare Kinesis endpoint for producers.py, with one stream. It stores nothing.

It takes any credentials, checks no signature and has no quota, so that only the client is measured. The response to
PutRecords is the same bytes for every request with the same number of records; its sequence numbers have the shape of
the service's.

    python -m support.bare_kinesis LATENCY_SECONDS [CERTIFICATE KEY]
"""

import functools
import json
import ssl
import sys

import uvloop
from support.bare_server import BareProtocol, serve

SHARD = "shardId-000000000000"
SEQUENCE = 49671503294478120129654712001378922376018214567898523 * 1000
#: Counted to find the number of records: botocore writes `"PartitionKey": "…"`, others write no space, and base64
#: contains no quotes.
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


def http_response(document):
    body = json.dumps(document, separators=(",", ":")).encode()
    head = (
        "HTTP/1.1 200 OK\r\nx-amzn-RequestId: e4d1c5a0-0000-0000-0000-000000000000\r\n"
        f"Content-Type: application/x-amz-json-1.1\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@functools.cache
def put_records_response(count):
    stored = [{"SequenceNumber": str(SEQUENCE + index), "ShardId": SHARD} for index in range(count)]
    return http_response({"FailedRecordCount": 0, "Records": stored, "EncryptionType": "KMS"})


class BareKinesis(BareProtocol):
    def handle_request(self, head, body):
        operation = head.split(b"Kinesis_20131202.", 1)[1].split(b"\r\n", 1)[0]
        if operation in CONTROL:
            self.respond(http_response(CONTROL[operation]))
        else:
            self.respond_late(put_records_response(body.count(RECORD_MARK)))


async def main(latency, certificate=None, key=None):
    tls = None
    if certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate, key)
    await serve(lambda: BareKinesis(float(latency)), tls)


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
