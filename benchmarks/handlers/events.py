"""Write the event that the handlers receive: reports of 100 trucks, as Lambda delivers them from one shard."""

import base64
import json
from datetime import UTC, datetime

from truckstream.fleet import Fleet

ARN = "arn:aws:kinesis:us-east-1:123456789012:stream/truck-sensor-stream"
SHARD = "shardId-000000000000"
FIRST = 49590338271490256608559692538361571095921575989136588898
START = datetime(2025, 1, 15, 14, 30, 25, tzinfo=UTC)


def write_event(path, count):
    """Write an event of `count` valid records to a file as JSON, and return its size in bytes."""
    fleet = Fleet(100, rate=100, seed=7, invalid=0, start=START)
    records = [_record(number, report) for number, report in enumerate(fleet.take(count))]
    return path.write_bytes(json.dumps({"Records": records}, separators=(",", ":")).encode())


def _record(number, report):
    sequence_number = str(FIRST + number)
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": report.truck_id,
            "sequenceNumber": sequence_number,
            "data": base64.b64encode(report.data).decode(),
            "approximateArrivalTimestamp": START.timestamp() + number / 1000,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{SHARD}:{sequence_number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::123456789012:role/truckstream",
        "awsRegion": "us-east-1",
        "eventSourceARN": ARN,
    }
