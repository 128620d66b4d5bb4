"""The result of one call of `process`, which accounts for every record of the event."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from truckstream.batcher.reading.rejected_record import Refusal
    from truckstream.batcher.reading.validation import ValidatedEvent
    from truckstream.errors import TruckstreamError

__all__ = ["Outcome", "Receipt", "Result", "StoredGroup", "build_result", "combine"]

#: - created: by this call.
#: - already there: stored by an earlier delivery of the same group.
#: - adopted: stored by an earlier delivery whose groups had other edges.
Outcome = Literal["created", "already there", "adopted"]


@dataclass(frozen=True, slots=True)
class Receipt:
    """One object that holds records of this event."""

    key: str
    #: The number of this event's records that have a line in the object.
    records: int
    #: The object's size.
    bytes: int
    first_sequence_number: str
    last_sequence_number: str
    outcome: Outcome


class StoredGroup(NamedTuple):
    """The records from index `start` up to `stop`, exclusive, which are stored."""

    start: int
    stop: int
    #: True if this call created the group's first object.
    is_new: bool
    objects: tuple[Receipt, ...]
    rejected_objects: tuple[Receipt, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """The account of one call: `received == stored + rejected + not_stored`, always."""

    received: int = 0
    #: The number of valid records in `objects`.
    stored: int = 0
    #: The objects of valid records, in the order of the stream.
    objects: tuple[Receipt, ...] = ()
    #: The records that broke a rule and are in `rejected_objects`, in the order of the stream.
    refusals: tuple[Refusal, ...] = ()
    rejected_objects: tuple[Receipt, ...] = ()
    #: The sequence number of the first record of the first group that is not stored: Lambda must deliver the records
    #: from there on again. None if all are stored.
    first_failed: str | None = None
    #: Why groups are not stored: one error for each of these groups.
    causes: tuple[TruckstreamError, ...] = ()
    #: When Kinesis stored the oldest record, in seconds since the epoch; None if there are no records.
    oldest_arrival: float | None = None
    #: The duration of each PUT in seconds, retries included.
    put_seconds: tuple[float, ...] = ()

    def __repr__(self) -> str:
        # Short, because a result may have 700,000 refusals, and `asyncio.run` makes the repr of its result.
        return (
            f"Result(received={self.received}, stored={self.stored}, rejected={self.rejected}, "
            f"not_stored={self.not_stored}, objects={len(self.objects)}, "
            f"rejected_objects={len(self.rejected_objects)}, first_failed={self.first_failed!r})"
        )

    @property
    def rejected(self) -> int:
        """The number of rejected records."""
        return len(self.refusals)

    @property
    def not_stored(self) -> int:
        """The number of records, valid or not, in groups that are not stored. Lambda must deliver them again."""
        return self.received - self.stored - self.rejected

    def batch_item_failures(self) -> dict[str, list[dict[str, str]]]:
        """Return the function's response for an event source mapping with ReportBatchItemFailures.

        Without that setting Lambda takes *any* response for success, and the records that are not stored are lost.
        """
        failures = [] if self.first_failed is None else [{"itemIdentifier": self.first_failed}]
        return {"batchItemFailures": failures}


def build_result(
    event: ValidatedEvent,
    stored_groups: Iterable[StoredGroup],
    causes: Iterable[TruckstreamError],
    put_seconds: Iterable[float],
) -> Result:
    """Return the result of a call that stored these groups of the event."""
    groups = sorted(stored_groups, key=lambda group: group.start)
    covered = bytearray(len(event))
    for group in groups:
        covered[group.start : group.stop] = b"\1" * (group.stop - group.start)
    refusals = tuple(refusal for index, refusal in event.refusals.items() if covered[index])
    first_gap = covered.find(0)
    return Result(
        received=len(event),
        stored=covered.count(1) - len(refusals),
        objects=tuple(receipt for group in groups for receipt in group.objects),
        refusals=refusals,
        rejected_objects=tuple(receipt for group in groups for receipt in group.rejected_objects),
        first_failed=None if first_gap < 0 else event.valid.sequences[first_gap],
        causes=tuple(causes),
        oldest_arrival=min(event.valid.arrivals),
        put_seconds=tuple(put_seconds),
    )


def combine(slices: Sequence[Result]) -> Result:
    """Return the account of an event from those of its slices, of which there must be at least one."""
    if len(slices) == 1:
        return slices[0]
    return Result(
        received=sum(each.received for each in slices),
        stored=sum(each.stored for each in slices),
        objects=tuple(chain.from_iterable(each.objects for each in slices)),
        refusals=tuple(chain.from_iterable(each.refusals for each in slices)),
        rejected_objects=tuple(chain.from_iterable(each.rejected_objects for each in slices)),
        first_failed=next((each.first_failed for each in slices if each.first_failed is not None), None),
        causes=tuple(chain.from_iterable(each.causes for each in slices)),
        oldest_arrival=min(each.oldest_arrival for each in slices if each.oldest_arrival is not None),
        put_seconds=tuple(chain.from_iterable(each.put_seconds for each in slices)),
    )
