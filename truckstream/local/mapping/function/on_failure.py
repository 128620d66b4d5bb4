"""What reaches the on-failure destination: the service's document, which points at records.

A queue or a topic gets no more. A bucket gets the records, too, as the event's JSON in `payload`.

Shape: https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html, read 2026-11-23. Recorded on
AWS: `functionError` is null when the function answered with failures, "Unhandled" when it raised.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from truckstream.local.service.state.shard import Record

__all__ = ["Condition", "Discard", "failure_document", "failure_object"]

Condition = Literal["RetryAttemptsExhausted", "RecordAgeExceeded"]


class Discard(msgspec.Struct, frozen=True):
    """Records that the mapping gave up, why, and after how many invocations."""

    records: list[Record]
    condition: Condition
    invocations: int
    function_error: str | None
    at: float


def failure_document(
    discard: Discard, *, request_id: str, function_arn: str, shard_id: str, stream_arn: str
) -> dict[str, Any]:
    """The service's document for one discard."""
    first, last = discard.records[0], discard.records[-1]
    document: dict[str, Any] = {
        "requestContext": {
            "requestId": request_id,
            "functionArn": function_arn,
            "condition": discard.condition,
            "approximateInvokeCount": discard.invocations,
        },
        "version": "1.0",
        "timestamp": _timestamp(discard.at),
        "KinesisBatchInfo": {
            "shardId": shard_id,
            "startSequenceNumber": first.sequence_number,
            "endSequenceNumber": last.sequence_number,
            "approximateArrivalOfFirstRecord": _timestamp(first.arrival),
            "approximateArrivalOfLastRecord": _timestamp(last.arrival),
            "batchSize": len(discard.records),
            "streamArn": stream_arn,
        },
    }
    if discard.invocations:
        document["responseContext"] = {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": discard.function_error,
        }
    return document


def failure_object(document: dict[str, Any], event: dict[str, Any], *, mapping_id: str, name: str) -> tuple[str, bytes]:
    """The key and the content of what a bucket gets: `document`, with the event of its records; `name` is unique."""
    shard_id, at = document["KinesisBatchInfo"]["shardId"], datetime.fromisoformat(document["timestamp"])
    key = f"aws/lambda/{mapping_id}/{shard_id}/{at:%Y/%m/%d}/{at:%Y-%m-%dT%H.%M.%S}-{name}"
    return key, msgspec.json.encode({**document, "payload": msgspec.json.encode(event).decode()})


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
