"""A batch that the mapping has given up, and the document about it for the on-failure destination.

A queue or a topic receives the document, which names the records. A bucket receives the records, too, as the event's
JSON in `payload`.

Shape: https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html, read 2026-11-23. Recorded on
AWS: `functionError` is null if the function reported failures, and "Unhandled" if it raised an exception.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from truckstream.local.service.state.shard import Record

__all__ = ["Condition", "DiscardedBatch", "failure_document", "failure_object"]

Condition = Literal["RetryAttemptsExhausted", "RecordAgeExceeded"]


class DiscardedBatch(msgspec.Struct, frozen=True):
    """Records that were discarded, the reason, and the number of invocations before."""

    records: list[Record]
    condition: Condition
    invocations: int
    function_error: str | None
    at: float


def failure_document(
    batch: DiscardedBatch, *, request_id: str, function_arn: str, shard_id: str, stream_arn: str
) -> dict[str, Any]:
    """Return the service's document about a discarded batch."""
    first, last = batch.records[0], batch.records[-1]
    document: dict[str, Any] = {
        "requestContext": {
            "requestId": request_id,
            "functionArn": function_arn,
            "condition": batch.condition,
            "approximateInvokeCount": batch.invocations,
        },
        "version": "1.0",
        "timestamp": _timestamp(batch.at),
        "KinesisBatchInfo": {
            "shardId": shard_id,
            "startSequenceNumber": first.sequence_number,
            "endSequenceNumber": last.sequence_number,
            "approximateArrivalOfFirstRecord": _timestamp(first.arrival),
            "approximateArrivalOfLastRecord": _timestamp(last.arrival),
            "batchSize": len(batch.records),
            "streamArn": stream_arn,
        },
    }
    if batch.invocations:
        document["responseContext"] = {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": batch.function_error,
        }
    return document


def failure_object(document: dict[str, Any], event: dict[str, Any], *, mapping_id: str, name: str) -> tuple[str, bytes]:
    """Return the key and the content of the object for a bucket.

    Args:
        document: the batch's document.
        event: the event with the records of the batch.
        mapping_id: the mapping's ID.
        name: a unique name.
    """
    shard_id, at = document["KinesisBatchInfo"]["shardId"], datetime.fromisoformat(document["timestamp"])
    key = f"aws/lambda/{mapping_id}/{shard_id}/{at:%Y/%m/%d}/{at:%Y-%m-%dT%H.%M.%S}-{name}"
    return key, msgspec.json.encode({**document, "payload": msgspec.json.encode(event).decode()})


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
