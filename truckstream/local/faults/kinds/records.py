"""Faults of one record. The other records of its request are not affected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from truckstream.errors import InvalidArgumentError
from truckstream.local.faults.kinds.kind import FaultOptions, RecordKind
from truckstream.local.service.errors import RecordRefusal, rate_exceeded_text

if TYPE_CHECKING:
    from truckstream.local.service.state.shard import LocalShard
    from truckstream.local.service.state.stream import Stream

__all__ = ["KINDS"]

_WRITES: Final = frozenset({"PutRecord", "PutRecords"})
_SHARDS: Final = frozenset({"shards"})


class _FailedRecord(RecordKind, frozen=True, kw_only=True):
    options: frozenset[str] = _SHARDS
    #: The operations that a fault of this kind may name.
    possible_operations: frozenset[str] = _WRITES

    def strikes_by_default(self, operation: str) -> bool:
        return operation in _WRITES

    def check(self, options: FaultOptions) -> None:
        for operation in options.operations:
            if operation not in self.possible_operations:
                rule = f"{self.name} can only strike {', '.join(sorted(self.possible_operations))}"
                raise InvalidArgumentError("operations", operation, rule)


class _ThrottledRecord(_FailedRecord, frozen=True):
    def error(self, stream: Stream, shard: LocalShard, account_id: str) -> RecordRefusal:
        text = rate_exceeded_text(shard.shard_id, stream.name, account_id)
        return RecordRefusal("ProvisionedThroughputExceededException", text, is_stored=False)


class _InternalFailureRecord(_FailedRecord, frozen=True, kw_only=True):
    is_stored: bool

    def error(self, stream: Stream, shard: LocalShard, account_id: str) -> RecordRefusal:
        return RecordRefusal("InternalFailure", "Internal service failure.", is_stored=self.is_stored)


KINDS: Final = (
    _ThrottledRecord(
        "throttle",
        "ProvisionedThroughputExceededException for the record (GetRecords: for the call), even below the quota.",
        "Not stored. A retry stores it once.",
        possible_operations=_WRITES | {"GetRecords"},
    ),
    _InternalFailureRecord(
        "internal-failure",
        "InternalFailure for the record, which is not stored.",
        "Cannot know: looks like internal-failure-after.",
        is_stored=False,
    ),
    _InternalFailureRecord(
        "internal-failure-after",
        "InternalFailure for the record, which is stored nevertheless.",
        "Cannot know. A retry makes a copy.",
        is_stored=True,
    ),
)
