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
from truckstream.local.service.operations.write_targets import find_targets, route_record
from truckstream.local.service.validation.constraints import data_too_long, validate

if TYPE_CHECKING:
    from truckstream.local.service.messages import Request, Response
    from truckstream.local.service.state.account import KinesisAccount, RecordFault
    from truckstream.local.service.state.shard import LocalShard
    from truckstream.local.service.state.stream import Stream

__all__ = ["put_record", "put_records"]

_THROTTLED: Final = "ProvisionedThroughputExceededException"


def put_records(
    account: KinesisAccount, request: Request, now: float, record_fault: RecordFault | None = None
) -> Response:
    stream, targets = find_targets(account, request, now)
    if request.get("DryRun"):
        raise dry_run()
    arrival = stream.arrival(now)
    for shard in {shard for shard, _ in targets}:
        shard.write_quota.refill(now)
    failed = 0
    results: list[dict[str, str]] = []
    for entry, (shard, size) in zip(request["Records"], targets, strict=True):
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
    account.count_written(sum(size for _, size in targets), len(targets))
    return _with_encryption(stream, {"FailedRecordCount": failed, "Records": results})


def put_record(
    account: KinesisAccount, request: Request, now: float, record_fault: RecordFault | None = None
) -> Response:
    try:
        stream = account.usable(request, now)
    except RefusedError:
        validate("PutRecord", request)  # a violated constraint is reported before an unknown stream
        raise
    validate("PutRecord", request, keyless=stream.spreads_evenly)
    key = request.get("PartitionKey", "")
    shard, key_size = (
        (stream.next_shard(), len(key.encode())) if stream.spreads_evenly else route_record(stream, request)
    )
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
    account.count_written(size, 1)
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


def _with_encryption(stream: Stream, response: dict[str, Any]) -> Response:
    if stream.key_id is not None:
        response["EncryptionType"] = "KMS"
    return response
