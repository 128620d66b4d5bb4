"""A batch that Lambda gave up, as its document in the on-failure destination describes it.

An event source mapping sends a document about each batch that failed until its retries or its records' age ended.
Lambda stores it in a bucket under a key that names the mapping, the shard, and the time when the batch was given up:

    aws/lambda/<mapping's UUID>/<shard>/2025/01/15/2025-01-15T14.30.25-<UUID>

Shape: https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html, read 2026-11-23. Only the
document for a bucket has the records, as the event's JSON in `payload`. A queue (SQS) or a topic (SNS, Kafka) receives
metadata only. A document from there names the range of the batch and nothing else: its records must be read from the
stream, within the stream's retention.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

__all__ = ["FAILURE_FOLDER", "BrokenDocumentError", "GivenUpBatch", "given_up_at", "read_document"]

#: The folder of Lambda's documents in a bucket.
FAILURE_FOLDER: Final = "aws/lambda"

_KEY: Final = re.compile(
    r"(?:.*/)?aws/lambda/[^/]+/shardId-[^/]+/\d{4}/\d\d/\d\d/(\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d)-[^/]+"
)


class BrokenDocumentError(ValueError):
    """The object is no document about a batch of Kinesis. The text is the reason."""


class GivenUpBatch(msgspec.Struct, frozen=True):
    """A batch that Lambda gave up: a range of one shard, and its records if the document has them."""

    #: The object that describes it.
    key: str
    #: The stream's ARN.
    stream: str
    shard: str
    first_sequence_number: str
    last_sequence_number: str
    #: The number of records, as Lambda counted them.
    size: int
    #: Why Lambda gave it up, such as "RetryAttemptsExhausted" or "RecordAgeExceeded".
    condition: str
    #: When Kinesis stored the first record and the last one, approximately.
    first_arrival: datetime
    last_arrival: datetime
    #: The event's `Records`, as the function received them; None if the document names the range only.
    records: list[dict[str, Any]] | None


class _BatchInfo(msgspec.Struct):
    shard: str = msgspec.field(name="shardId")
    first: str = msgspec.field(name="startSequenceNumber")
    last: str = msgspec.field(name="endSequenceNumber")
    first_arrival: datetime = msgspec.field(name="approximateArrivalOfFirstRecord")
    last_arrival: datetime = msgspec.field(name="approximateArrivalOfLastRecord")
    size: int = msgspec.field(name="batchSize")
    stream: str = msgspec.field(name="streamArn")


class _RequestContext(msgspec.Struct):
    condition: str


class _Document(msgspec.Struct):
    request: _RequestContext = msgspec.field(name="requestContext")
    batch: _BatchInfo | None = msgspec.field(name="KinesisBatchInfo", default=None)
    dynamodb_batch: dict[str, Any] | None = msgspec.field(name="DDBStreamBatchInfo", default=None)
    payload: str | None = None


class _Event(msgspec.Struct):
    records: list[dict[str, Any]] = msgspec.field(name="Records")


def given_up_at(key: str) -> datetime | None:
    """Return when the batch behind a key was given up, in UTC; None if Lambda makes no such keys for streams."""
    found = _KEY.fullmatch(key)
    if found is None:
        return None
    try:
        return datetime.strptime(found[1], "%Y-%m-%dT%H.%M.%S").replace(tzinfo=UTC)
    except ValueError:  # a 13th month
        return None


def read_document(key: str, content: bytes) -> GivenUpBatch | None:
    """Return the batch that an object describes; None if it is a batch of a DynamoDB stream.

    Raises:
        BrokenDocumentError: the object is no such document, or its payload is not the event of the batch.
    """
    try:
        document = msgspec.json.decode(content, type=_Document)
        if document.batch is None and document.dynamodb_batch is not None:
            return None
        records = msgspec.json.decode(document.payload, type=_Event).records if document.payload else None
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BrokenDocumentError(str(error)) from error
    batch = document.batch
    if batch is None:
        raise BrokenDocumentError("it has no KinesisBatchInfo")
    if not (batch.first.isdecimal() and batch.last.isdecimal()):
        raise BrokenDocumentError(f"its sequence numbers are {batch.first[:40]!r} and {batch.last[:40]!r}")
    return GivenUpBatch(
        key=key,
        stream=batch.stream,
        shard=batch.shard,
        first_sequence_number=batch.first,
        last_sequence_number=batch.last,
        size=batch.size,
        condition=document.request.condition,
        first_arrival=_in_utc(batch.first_arrival),
        last_arrival=_in_utc(batch.last_arrival),
        records=records,
    )


def _in_utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
