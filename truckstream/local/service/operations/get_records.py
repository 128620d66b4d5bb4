"""GetShardIterator and GetRecords."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from truckstream.local.service.errors import (
    RefusedError,
    dry_run,
    invalid,
    rate_exceeded,
    shard_unknown,
)
from truckstream.local.service.identifiers import sequence_number as sequence
from truckstream.local.service.identifiers.iterator_token import ShardIterator, open_iterator, seal
from truckstream.local.service.identifiers.shard_id import id_of
from truckstream.local.service.quotas import limits

if TYPE_CHECKING:
    from truckstream.local.service.messages import Request, Response
    from truckstream.local.service.state.account import KinesisAccount, RecordFault
    from truckstream.local.service.state.shard import LocalShard, Record
    from truckstream.local.service.state.stream import Stream

__all__ = ["children", "describe_record", "get_records", "get_shard_iterator", "millis_behind", "starting_place"]


def get_shard_iterator(account: KinesisAccount, request: Request, now: float) -> Response:
    stream, shard = _find(account, request, account.shard_id(request, "ShardId"), now)
    kind, number, moment = (request.get(name) for name in ("ShardIteratorType", "StartingSequenceNumber", "Timestamp"))
    place = starting_place(account, stream, shard, str(kind), number, moment, now)
    if request.get("DryRun"):
        raise dry_run()
    return {"ShardIterator": seal(ShardIterator(stream.name, stream.created_at, shard.shard_id, place, now))}


def _find(account: KinesisAccount, request: Request, shard_id: str, now: float) -> tuple[Stream, LocalShard]:
    """Return the shard to read. If its stream does not exist, the service reports the shard as unknown [rec]."""
    name, account_id = account.name_in(request)
    try:
        stream = account.usable(request, now)
    except RefusedError:
        raise shard_unknown(shard_id, name, account_id) from None
    shard = stream.shards.get(shard_id)
    if shard is None:
        raise shard_unknown(shard_id, name, account_id)
    return stream, shard


def starting_place(
    account: KinesisAccount,
    stream: Stream,
    shard: LocalShard,
    kind: str,
    number: str | None,
    moment: float | None,
    now: float,
) -> int:
    """Return the place where a read of this type (`ShardIteratorType`) begins.

    Args:
        account: the account of the stream.
        stream: the stream of the shard.
        shard: the shard to read.
        kind: one of the five iterator types.
        number: the sequence number, for the two types that begin at one.
        moment: the timestamp, for AT_TIMESTAMP.
        now: seconds since the epoch.

    Raises:
        RefusedError: `number` or `moment` is missing, superfluous or invalid.
    """
    _check_start(kind, number, moment, now)
    if number is not None:
        place = _place_of(account, stream, shard, number)
        return place + 1 if kind == "AFTER_SEQUENCE_NUMBER" else place
    if moment is not None:
        return shard.place_at(moment)
    return shard.next_place if kind == "LATEST" else shard.first_place


def _check_start(kind: str, number: str | None, moment: float | None, now: float) -> None:
    by_sequence = kind in {"AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"}
    if by_sequence != (number is not None):
        has = "no" if number is None else "also a"
        raise invalid(  # [rec], see `errors`
            "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or "
            "(2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. "
            f"Request specified {kind} and {has} StartingSequenceNumber."
        )
    if kind == "AT_TIMESTAMP" and moment is None:
        raise invalid(  # [rec]
            "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. "
            "Current request has no timestamp parameter."
        )
    if kind != "AT_TIMESTAMP" and moment is not None:
        raise invalid(f"Timestamp is only valid for an iterator of type AT_TIMESTAMP. Request specified {kind}.")
    if moment is not None and moment > now:
        raise invalid(  # [rec]
            f"The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. "
            f"timestampInMillis: {moment * 1000:.0f}, currentTimestampInMillis: {now * 1000:.0f}"
        )


def _place_of(account: KinesisAccount, stream: Stream, shard: LocalShard, sequence_number: str) -> int:
    located = sequence.locate(int(sequence_number))
    if located is not None and located.shard_index != shard.index:
        raise invalid(  # [rec]
            f"Invalid StartingSequenceNumber. It encodes {id_of(located.shard_index)}, "
            f"while it was used in a call to a shard with {shard.shard_id}"
        )
    if located is None or located.epoch != shard.epoch or located.place > shard.next_place:
        because = " because it did not come from this stream" if located and located.epoch != shard.epoch else ""
        raise invalid(  # [rec]
            f"StartingSequenceNumber {sequence_number} used in GetShardIterator on shard {shard.shard_id} "
            f"in stream {stream.name} under account {account.account_id} is invalid{because}."
        )
    return located.place


def get_records(
    account: KinesisAccount, request: Request, now: float, record_fault: RecordFault | None = None
) -> Response:
    iterator = open_iterator(request["ShardIterator"], now)
    stream, shard = _find(account, {"StreamName": iterator.stream_name}, iterator.shard_id, now)
    if stream.created_at != iterator.created_at:
        raise shard_unknown(shard.shard_id, stream.name, account.account_id)
    if request.get("DryRun"):
        raise dry_run()
    if record_fault is not None and (error := record_fault(stream, shard)) is not None:
        raise RefusedError(error.code, error.message)
    if not shard.read_quota.admit(now):
        shard.counts.reads_throttled += 1
        raise rate_exceeded(shard.shard_id, stream.name, account.account_id)
    records = shard.read(iterator.place, request.get("Limit", limits.GET_RECORDS), limits.GET_BYTES)
    shard.read_quota.charge(sum(record.size for record in records))
    place = records[-1].place + 1 if records else max(iterator.place, shard.first_place)
    response: dict[str, Any] = {
        "Records": [describe_record(stream, record) for record in records],
        "MillisBehindLatest": millis_behind(shard, place, now),
    }
    if not shard.is_open and place >= shard.next_place:  # "the shard iterator can't return more data"
        response["ChildShards"] = children(stream, shard)
    else:
        following = ShardIterator(stream.name, stream.created_at, shard.shard_id, place, now)
        response["NextShardIterator"] = seal(following)
    return response


def describe_record(stream: Stream, record: Record) -> dict[str, Any]:
    described: dict[str, Any] = {
        "SequenceNumber": record.sequence_number,
        "ApproximateArrivalTimestamp": record.arrival,
        "Data": record.data,
    }
    if record.partition_key:  # a stream with automatic distribution needs none
        described["PartitionKey"] = record.partition_key
    if stream.is_encrypted(record.arrival):
        described["EncryptionType"] = "KMS"
    return described


def millis_behind(shard: LocalShard, place: int, now: float) -> int:
    """Return how far a response is from the shard's tip: the age of the oldest record that is still to be read."""
    waiting = shard.arrival_of(place)
    return 0 if waiting is None else max(1, round((now - waiting) * 1000))


def children(stream: Stream, shard: LocalShard) -> list[dict[str, Any]]:
    return [
        {"ShardId": child.shard_id, "ParentShards": list(child.parents), "HashKeyRange": child.describe_range()}
        for child in stream.shards.values()
        if shard.shard_id in child.parents
    ]
