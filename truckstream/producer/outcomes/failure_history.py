"""The failed attempts at a record: how many of each kind, and the cause of the last one.

A history never changes, so records that failed in the same way share one: an outage with 100,000 records in the buffer
makes some dozens of histories. It holds texts and no exception, because the traceback of an exception would keep the
body of a failed request in memory for as long as its records are retried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from truckstream.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from truckstream.kinesis.failures import FailureKind

__all__ = ["FailureHistory", "note_failure"]


class FailureHistory(msgspec.Struct, frozen=True, gc=False):
    """The failed attempts at one record, of which there is at least one."""

    #: The number of attempts by the kind of their failure, in the order in which the kinds first came.
    counts: tuple[tuple[str, int], ...]
    #: The last failure: the service's error code, or the name of the connection's failure, and the message.
    code: str
    message: str

    @property
    def attempts_by_kind(self) -> dict[str, int]:
        """The number of attempts by the kind of their failure, such as {"throttled": 3}."""
        return dict(self.counts)

    @property
    def cause(self) -> ServiceError:
        """The last failure as an error."""
        return ServiceError(self.code, self.message)


class _Record(Protocol):
    failures: FailureHistory | None


def note_failure(records: Iterable[_Record], kind: FailureKind, code: str, message: str) -> None:
    """Add one failure to the histories of all `records`. 0.3 µs a record."""
    made: dict[FailureHistory | None, FailureHistory] = {}
    for record in records:
        before = record.failures
        after = made.get(before)
        if after is None:
            after = made[before] = _with_one_more(before, kind, code, message)
        record.failures = after


def _with_one_more(history: FailureHistory | None, kind: FailureKind, code: str, message: str) -> FailureHistory:
    counts = history.attempts_by_kind if history else {}
    counts[kind.value] = counts.get(kind.value, 0) + 1
    return FailureHistory(tuple(counts.items()), code, message)
