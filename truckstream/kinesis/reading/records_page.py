"""Parse the records that the service returns: a response of GetRecords, or an event of a subscription.

A body of 10 MiB becomes `ShardRecord`s in one pass of msgspec's decoder, which decodes base64 on the way. Measured
with 3,000 records of 498 bytes on a busy machine (Python 3.11, CPU µs a record, the least of 15 runs; ratios count):

    JSON, decoded into ShardRecord, base64 by msgspec                       1.02
    the same into a struct of the wire, and a ShardRecord made of it        1.25
    JSON with the data as text, base64 by pybase64                           1.33
    JSON by orjson, base64 by pybase64, ShardRecord made of dictionaries    1.50
    JSON with the data as msgspec.Raw, base64 by pybase64                    1.63
    CBOR by cbor2, ShardRecord made of dictionaries                         1.15

CBOR has a quarter fewer bytes, which saves 0.05 µs more, but its times have a tag that costs cbor2 a call of Python for
each record, and some stand-ins for Kinesis do not know it. So requests ask for JSON.

JSON allows a member to stand twice in an object, and decoders keep the last of the two. A second "Records" would hide
the records of the first, and a second "NextShardIterator" those that follow. So the members outside of the records are
counted, and the first record in the body must be the first of the page. If not, a careful parser decides. To count the
members within each record as well would take 0.35 µs a record; there the last one counts, as in other clients.
"""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from truckstream.kinesis.reading.shard_record import Arrival, ChildShard, RecordsPage, SequenceNumber, ShardRecord
from truckstream.kinesis.responses import DECODE_ERRORS, decode_response, malformed_response

__all__ = ["parse_records_page"]


class _HashKeyRange(msgspec.Struct, rename="pascal"):
    starting_hash_key: str
    ending_hash_key: str


class _Child(msgspec.Struct, rename="pascal"):
    shard_id: str
    parent_shards: list[str]
    hash_key_range: _HashKeyRange


class _PartialRecord(msgspec.Struct, gc=False, kw_only=True):
    """A record without the members that the service's model does not require."""

    data: bytes = msgspec.field(name="Data")
    sequence_number: SequenceNumber = msgspec.field(name="SequenceNumber")
    partition_key: str = msgspec.field(name="PartitionKey", default="")
    arrival: Arrival = msgspec.field(name="ApproximateArrivalTimestamp", default=0.0)


class _Page(msgspec.Struct, rename="pascal"):
    """The members besides the records. One that is missing is UNSET."""

    next_shard_iterator: str | UnsetType | None = UNSET
    continuation_sequence_number: str | UnsetType | None = UNSET
    millis_behind_latest: int | UnsetType | None = UNSET
    child_shards: list[_Child] | UnsetType | None = UNSET


class _FullPage(_Page, kw_only=True, rename="pascal"):
    records: list[ShardRecord]


class _PartialPage(_Page, kw_only=True, rename="pascal"):
    records: list[_PartialRecord]


_decode_full: Final = msgspec.json.Decoder(_FullPage).decode
_decode_partial: Final = msgspec.json.Decoder(_PartialPage).decode
_decode_record: Final = msgspec.json.Decoder(_PartialRecord).decode


def parse_records_page(body: bytes, shard_id: str) -> RecordsPage:
    """Return the page in `body`, with `shard_id` in each record.

    Raises:
        RequestFailedError: ambiguous, because `body` is not such a page, or hides records.
    """
    page: _FullPage | _PartialPage
    try:
        page = _decode_full(body)
    except DECODE_ERRORS:  # perhaps a record has no partition key, which costs its page a second pass
        page = decode_response(_decode_partial, body)
        records = [
            ShardRecord(each.data, each.partition_key, each.sequence_number, each.arrival) for each in page.records
        ]
    else:
        records = page.records
    if page.child_shards or not _is_plain(body, page, records):
        _check_members(body)
    for record in records:
        record.shard_id = shard_id
    return RecordsPage(
        records=records,
        next_iterator=page.next_shard_iterator or None,
        continuation=page.continuation_sequence_number or None,
        millis_behind=page.millis_behind_latest or 0,
        children=_children(page, body),
        size=len(body),
    )


def _children(page: _Page, body: bytes) -> tuple[ChildShard, ...]:
    try:
        return tuple(
            ChildShard(
                shard_id=child.shard_id,
                parent_ids=tuple(child.parent_shards),
                starting_hash_key=int(child.hash_key_range.starting_hash_key),
                ending_hash_key=int(child.hash_key_range.ending_hash_key),
            )
            for child in page.child_shards or ()
        )
    except ValueError as error:
        raise malformed_response(str(error), body) from error


# --- Members that stand twice ---------------------------------------------------------------------


def _is_plain(body: bytes, page: _Page, records: list[ShardRecord]) -> bool:
    """Return whether it is obvious that no member besides those of records stands twice. It looks at few bytes."""
    fields = (page.next_shard_iterator, page.continuation_sequence_number, page.millis_behind_latest, page.child_shards)
    members = 1 + sum(field is not UNSET for field in fields)
    array, end = body.find(b"["), body.rfind(b"]")
    head, tail = body[:array], body[end:]
    if head.count(b":") + tail.count(b":") != members or not head.rstrip(b" \r\n\t:").endswith(b'"Records"'):
        return False
    first = body.find(b"{", array)
    if first < 0 or not records:
        return first < 0 and not records
    try:
        found = _decode_record(body[first : body.find(b"}", first) + 1])
    except DECODE_ERRORS:  # a brace in its partition key
        return False
    return (found.sequence_number, found.data) == (records[0].sequence_number, records[0].data)


def _check_members(body: bytes) -> None:
    """Reject a body in which a member stands twice in any object."""
    try:
        json.loads(body, object_pairs_hook=_distinct, strict=False)
    except (ValueError, RecursionError) as error:
        raise malformed_response(str(error), body) from error


def _distinct(members: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in members]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name!r} stands twice in an object")
