"""PutRecord and PutRecords: the hot path of the server.

A request is first checked as a whole: one invalid record rejects all of them. Then each record is stored or throttled
by itself, in the order of the request: "A single record failure does not stop the processing of subsequent records."

Measured on 2026-11-23 (Python 3.11, one core, 500 records of 498 bytes a request): 2.5 µs of CPU a record from request
body to response body, and 4.4 µs with aiohttp and the kernel, or 200,000 records/s. Of the 2.5 µs, decoding takes 0.7,
routing 0.3, the quota 0.3, the digits of a sequence number 0.15, the columns 0.2, encoding 0.05, and the loop the rest.
The optimisations, with the time that each saves:

- The stream remembers the shard and the length of a key: 0.03 µs instead of 2 to 3 µs for validation, MD5, big integers
  and bisection. A remembered key has been validated before.
- The constraints of a request are checked in the pass that routes its records, for 0.1 µs. Only a request that violates
  one is walked by `constraints.validate`, for 4 µs, to compose the error message.
- `Data` arrives as bytes (see `local.protocol`) and is stored unchanged. Decoding base64 in Python would take 1.3 µs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from truckstream.local.service.errors import (
    RefusedError,
    dry_run,
    invalid,
    not_valid,
    rate_exceeded,
    rate_exceeded_text,
)
from truckstream.local.service.identifiers import sequence_number as sequence
from truckstream.local.service.quotas import limits
from truckstream.local.service.validation.constraints import data_too_long, validate

if TYPE_CHECKING:
    from truckstream.local.service.messages import Request, Response
    from truckstream.local.service.state.account import KinesisAccount, RecordFault
    from truckstream.local.service.state.shard import LocalShard
    from truckstream.local.service.state.stream import Stream

__all__ = ["put_record", "put_records"]

_THROTTLED: Final = "ProvisionedThroughputExceededException"
_HASH_KEY: Final = re.compile(r"0|[1-9]\d{0,38}", re.ASCII)


def put_records(
    account: KinesisAccount, request: Request, now: float, record_fault: RecordFault | None = None
) -> Response:
    entries = request.get("Records", ())
    if not 1 <= len(entries) <= limits.PUT_RECORDS:
        validate("PutRecords", request)
    stream = _stream(account, "PutRecords", request, now)
    targets = _spread(stream, request, entries) if stream.spreads_evenly else _targets(stream, request, entries)
    if request.get("DryRun"):
        raise dry_run()
    arrival = stream.arrival(now)
    for shard in {shard for shard, _ in targets}:
        shard.write_quota.refill(now)
    failed = 0
    results: list[dict[str, str]] = []
    for entry, (shard, size) in zip(entries, targets, strict=True):
        if record_fault is not None and (error := record_fault(stream, shard)) is not None:
            failed += 1
            results.append({"ErrorCode": error.code, "ErrorMessage": error.message})
            if error.is_stored:
                _store(shard, entry["Data"], entry["PartitionKey"], size, arrival)
            continue
        counts = shard.counts
        if shard.write_quota.take(size):
            counts.records_in += 1
            counts.bytes_in += size
            number = shard.append(entry["Data"], entry["PartitionKey"], arrival)
            results.append({"SequenceNumber": number, "ShardId": shard.shard_id})
        else:
            counts.records_throttled += 1
            failed += 1
            text = rate_exceeded_text(shard.shard_id, stream.name, account.account_id)
            results.append({"ErrorCode": _THROTTLED, "ErrorMessage": text})
    account.wrote(sum(size for _, size in targets), len(targets))
    return _with_encryption(stream, {"FailedRecordCount": failed, "Records": results})


def put_record(
    account: KinesisAccount, request: Request, now: float, record_fault: RecordFault | None = None
) -> Response:
    stream = _stream(account, "PutRecord", request, now)
    validate("PutRecord", request, keyless=stream.spreads_evenly)
    key = request.get("PartitionKey", "")
    shard, key_size = (stream.next_shard(), len(key.encode())) if stream.spreads_evenly else _route(stream, request)
    size = len(request["Data"]) + key_size
    if size > stream.max_record_bytes:
        raise not_valid([data_too_long(0, size, stream.max_record_bytes)])
    after = request.get("SequenceNumberForOrdering")
    if after is not None and not sequence.is_sound(int(after)):
        raise invalid(  # [rec], see `errors`
            f"ExclusiveMinimumSequenceNumber {after} used in PutRecord on stream {stream.name} under account "
            f"{account.account_id} is invalid."
        )
    if request.get("DryRun"):
        raise dry_run()
    shard.write_quota.refill(now)
    error = record_fault and record_fault(stream, shard)
    if error is not None and not error.is_stored:
        raise RefusedError(error.code, error.message)
    number = _store(shard, request["Data"], key, size, stream.arrival(now))
    account.wrote(size, 1)
    if error is not None:
        raise RefusedError(error.code, error.message)
    if number is None:
        shard.counts.records_throttled += 1
        raise rate_exceeded(shard.shard_id, stream.name, account.account_id)
    return _with_encryption(stream, {"ShardId": shard.shard_id, "SequenceNumber": number})


def _store(shard: LocalShard, data: bytes, key: str, size: int, arrival: float) -> str | None:
    """Store one record if the quota admits it, and return its sequence number; else None."""
    if not shard.write_quota.take(size):
        return None
    shard.counts.records_in += 1
    shard.counts.bytes_in += size
    return shard.append(data, key, arrival)


def _stream(account: KinesisAccount, operation: str, request: Request, now: float) -> Stream:
    try:
        return account.usable(request, now)
    except RefusedError:
        validate(operation, request)  # a violated constraint is reported before an unknown stream
        raise


def _with_encryption(stream: Stream, response: dict[str, Any]) -> Response:
    if stream.key_id is not None:
        response["EncryptionType"] = "KMS"
    return response


def _targets(stream: Stream, request: Request, entries: list[dict[str, Any]]) -> list[tuple[LocalShard, int]]:
    """Return the shard and the size of each record.

    Raises:
        RefusedError: a record or the request as a whole is invalid.
    """
    known = stream.known_routes
    targets: list[tuple[LocalShard, int]] = []
    largest = stream.max_record_bytes
    total = 0
    for entry in entries:
        route = None if "ExplicitHashKey" in entry else known.get(entry.get("PartitionKey", ""))
        if route is None:
            if not _is_sound(entry):
                validate("PutRecords", request)
            route = _route(stream, entry)
        elif "Data" not in entry:
            validate("PutRecords", request)
        shard, key_size = route
        size = len(entry["Data"]) + key_size
        total += size
        if size > largest:
            raise not_valid(_too_long(entries, largest))
        targets.append((shard, size))
    _check_total(total)
    return targets


def _spread(stream: Stream, request: Request, entries: list[dict[str, Any]]) -> list[tuple[LocalShard, int]]:
    """Return the same for a stream that "ignores any partition key and ExplicitHashKey that a producer provides"."""
    validate("PutRecords", request, keyless=True)
    if too_long := _too_long(entries, stream.max_record_bytes):
        raise not_valid(too_long)
    for entry in entries:
        entry.setdefault("PartitionKey", "")
    targets = [(stream.next_shard(), len(entry["Data"]) + len(entry["PartitionKey"].encode())) for entry in entries]
    _check_total(sum(size for _, size in targets))
    return targets


def _check_total(size: int) -> None:
    if size > limits.PUT_BYTES:
        raise invalid(f"Records size exceeds {limits.PUT_BYTES // limits.MIB} MB limit")


def _is_sound(entry: dict[str, Any]) -> bool:
    """Return whether the entry satisfies its constraints: the fast form of `constraints.validate`."""
    return (
        "Data" in entry
        and 1 <= len(entry.get("PartitionKey", "")) <= limits.PARTITION_KEY_CHARACTERS
        and ("ExplicitHashKey" not in entry or _HASH_KEY.fullmatch(entry["ExplicitHashKey"]) is not None)
    )


def _route(stream: Stream, entry: dict[str, Any]) -> tuple[LocalShard, int]:
    """Return the shard of the entry, and the length of its key in bytes."""
    key = entry["PartitionKey"]
    if "ExplicitHashKey" not in entry:
        return stream.route(key)
    hash_key = int(entry["ExplicitHashKey"])
    if hash_key > limits.HASH_KEY_MAX:
        raise invalid(  # [rec], see `errors`
            "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. "
            f"Specified value was {hash_key}"
        )
    return stream.shard_of_hash(hash_key), len(key.encode())


def _too_long(entries: list[dict[str, Any]], largest: int) -> list[str]:
    sizes = [len(entry.get("Data", b"")) + len(entry.get("PartitionKey", "").encode()) for entry in entries]
    return [data_too_long(number, size, largest) for number, size in enumerate(sizes, 1) if size > largest]
