"""The targets of a PutRecords request: each record's shard and size, or the error that rejects the whole request.

One pass over the records routes them and checks their constraints. Only if it finds a violation, `constraints.validate`
walks the request again to compose the error message. `put_records` has the measurements.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from truckstream.local.service.errors import RefusedError, invalid, not_valid
from truckstream.local.service.quotas import limits
from truckstream.local.service.validation.constraints import data_too_long, validate

if TYPE_CHECKING:
    from truckstream.local.service.messages import Request
    from truckstream.local.service.state.account import KinesisAccount
    from truckstream.local.service.state.shard import LocalShard
    from truckstream.local.service.state.stream import Stream

__all__ = ["Target", "find_targets", "route_record"]

#: The shard of a record, and its size in bytes: data and key.
Target = tuple["LocalShard", int]

_HASH_KEY: Final = re.compile(r"0|[1-9]\d{0,38}", re.ASCII)


class _ViolationError(Exception):
    """The request violates a constraint."""


def find_targets(account: KinesisAccount, request: Request, now: float) -> tuple[Stream, list[Target]]:
    """Return the stream that a PutRecords request names, and the target of each record.

    Raises:
        RefusedError: a record or the request as a whole is invalid, or the stream cannot be written.
    """
    stream: Stream | None = None
    try:
        entries = _entries_of(request)
        stream = account.usable(request, now)
        return stream, _spread(stream, entries) if stream.spreads_evenly else _route_all(stream, entries)
    except (_ViolationError, RefusedError) as error:
        # A violated constraint is reported before an unknown stream.
        if stream is None or isinstance(error, _ViolationError):
            validate("PutRecords", request, keyless=stream is not None and stream.spreads_evenly)
        raise


def _entries_of(request: Request) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = request.get("Records", [])
    if not 1 <= len(entries) <= limits.PUT_RECORDS:
        raise _ViolationError
    return entries


def _route_all(stream: Stream, entries: list[dict[str, Any]]) -> list[Target]:
    known = stream.known_routes
    targets: list[Target] = []
    largest = stream.max_record_bytes
    total = 0
    for entry in entries:
        route = None if "ExplicitHashKey" in entry else known.get(entry.get("PartitionKey", ""))
        if route is None:
            if "PartitionKey" not in entry or not _is_sound(entry):
                raise _ViolationError
            route = route_record(stream, entry)
        elif "Data" not in entry:
            raise _ViolationError
        shard, key_size = route
        size = len(entry["Data"]) + key_size
        total += size
        if size > largest:
            raise not_valid(_too_long(entries, largest))
        targets.append((shard, size))
    _check_total(total)
    return targets


def _spread(stream: Stream, entries: list[dict[str, Any]]) -> list[Target]:
    """Return the targets in a stream that "ignores any partition key and ExplicitHashKey that a producer provides"."""
    if not all(map(_is_sound, entries)):
        raise _ViolationError
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
    """Return whether the entry satisfies its constraints, but it may lack a key. A fast `constraints.validate`."""
    return (
        "Data" in entry
        and 1 <= len(entry.get("PartitionKey", "-")) <= limits.PARTITION_KEY_CHARACTERS
        and ("ExplicitHashKey" not in entry or _HASH_KEY.fullmatch(entry["ExplicitHashKey"]) is not None)
    )


def route_record(stream: Stream, entry: dict[str, Any]) -> tuple[LocalShard, int]:
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
