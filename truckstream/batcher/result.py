"""What became of a delivery, to the record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from truckstream.batcher.reading.checking import Checked
    from truckstream.batcher.reading.rejected_record import Refusal
    from truckstream.errors import TruckstreamError

__all__ = ["Committed", "Outcome", "Receipt", "Result", "account"]

#: - created: by this call.
#: - already there: an earlier delivery of the same group had stored it.
#: - adopted: an earlier delivery that was cut elsewhere had stored these records.
Outcome = Literal["created", "already there", "adopted"]


@dataclass(frozen=True, slots=True)
class Receipt:
    """One object that holds records of this delivery."""

    key: str
    #: The records of this delivery that have a line in it.
    records: int
    #: Its size.
    bytes: int
    first_sequence_number: str
    last_sequence_number: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Committed:
    """A group that is stored from `start` up to `stop`, exclusive."""

    start: int
    stop: int
    #: True if it was not there before.
    fresh: bool
    objects: tuple[Receipt, ...]
    rejected_objects: tuple[Receipt, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """The account of one call: `received == stored + rejected + not_stored`, always."""

    received: int = 0
    #: Valid records that lie in `objects`.
    stored: int = 0
    #: The objects of valid records, in the order of the stream.
    objects: tuple[Receipt, ...] = ()
    #: Records that broke a rule and lie in `rejected_objects`, in the order of the stream.
    refusals: tuple[Refusal, ...] = ()
    rejected_objects: tuple[Receipt, ...] = ()
    #: The first record of the first group that is not stored: from there on the stream must be delivered again.
    #: None if all is stored.
    first_failed: str | None = None
    #: Why groups are not stored, each cause once a group.
    causes: tuple[TruckstreamError, ...] = ()
    #: When Kinesis took the oldest record, in seconds since the epoch; None if there was none.
    oldest_arrival: float | None = None
    #: How long each PUT took, in seconds, repeated attempts included.
    put_seconds: tuple[float, ...] = ()

    @property
    def rejected(self) -> int:
        """The number of refused records."""
        return len(self.refusals)

    @property
    def not_stored(self) -> int:
        """Records, valid or not, of groups that are not stored: they must be delivered again."""
        return self.received - self.stored - self.rejected

    def batch_item_failures(self) -> dict[str, list[dict[str, str]]]:
        """Lambda's answer for a mapping with ReportBatchItemFailures.

        Without that setting Lambda takes *any* answer for success, and what is not stored is lost.
        """
        failures = [] if self.first_failed is None else [{"itemIdentifier": self.first_failed}]
        return {"batchItemFailures": failures}


def account(
    checked: Checked,
    committed: Iterable[Committed],
    causes: Iterable[TruckstreamError],
    put_seconds: Iterable[float] = (),
) -> Result:
    """Hold the delivery against the groups of it that are stored."""
    groups = sorted(committed, key=lambda group: group.start)
    covered = bytearray(len(checked))
    for group in groups:
        covered[group.start : group.stop] = b"\1" * (group.stop - group.start)
    refusals = tuple(refusal for index, refusal in checked.refusals.items() if covered[index])
    first_gap = covered.find(0)
    return Result(
        received=len(checked),
        stored=covered.count(1) - len(refusals),
        objects=tuple(receipt for group in groups for receipt in group.objects),
        refusals=refusals,
        rejected_objects=tuple(receipt for group in groups for receipt in group.rejected_objects),
        first_failed=None if first_gap < 0 else checked.data.sequences[first_gap],
        causes=tuple(causes),
        oldest_arrival=min(checked.data.arrivals),
        put_seconds=tuple(put_seconds),
    )
