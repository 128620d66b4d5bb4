"""What reaches the on-failure destination: the service's document, which points at records and does not hold them.

Shape: https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html, read 2026-11-23. Recorded on
AWS: `functionError` is null when the function answered with failures, "Unhandled" when it raised.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from truckstream.local.service.shard import Record

__all__ = ["Condition", "Discard", "failure_document"]

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


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
