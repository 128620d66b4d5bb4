"""Turn repaired records into the items of an intent, or into the reasons why they stay refused."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from truckstream.batcher.reading.aggregates import read_payload
from truckstream.batcher.reading.event import KinesisEvent, UnreadableData
from truckstream.batcher.reading.stream_order import boundaries_between
from truckstream.data.replay.journal.entries import Item
from truckstream.data.replay.reading.repairing import RepairFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from truckstream.batcher.reading.rejected_record import Refusal
    from truckstream.data.replay.reading.rejected import Rejected

__all__ = ["AGGREGATE", "REPAIR_FAILED", "Candidate", "Refused", "event_of", "judge"]

#: The reasons that are not the batcher's.
REPAIR_FAILED = "repair_failed"
AGGREGATE = "aggregate"


class Candidate(NamedTuple):
    """A rejected record that is due, with its identity."""

    id: str
    record: Rejected


class Refused(NamedTuple):
    """Why a record stays refused."""

    reason: str
    detail: str


def event_of(stream: str, shard: str, items: Sequence[Item]) -> KinesisEvent:
    """Return the event of items in the order of their sequence numbers. There must be at least one."""
    sequences = [item.sequence_number for item in items]
    subsequences = [item.subsequence_number for item in items]
    return KinesisEvent(
        stream=stream,
        shard=shard,
        sequences=sequences,
        arrivals=[item.arrival for item in items],
        partition_keys=[item.partition_key for item in items],
        payloads=[item.data for item in items],
        boundaries=boundaries_between([int(each) for each in sequences]),
        subsequences=None if all(each is None for each in subsequences) else subsequences,
    )


def judge(
    candidates: Sequence[Candidate],
    repaired: Sequence[bytes | RepairFailure | None],
    check: Callable[[KinesisEvent], Mapping[int, Refusal]],
) -> tuple[dict[tuple[str, str], list[Item]], list[Refused]]:
    """Return the items to replay, by stream and shard, and why the other candidates stay refused.

    Args:
        candidates: the records.
        repaired: the results of the repair, in the same order.
        check: returns why records of an event are invalid, by index.
    """
    items: dict[tuple[str, str], list[Item]] = defaultdict(list)
    refused: list[Refused] = []
    for candidate, result in zip(candidates, repaired, strict=True):
        problem = _problem_of(candidate.record, result)
        if problem is not None:
            refused.append(problem)
        elif isinstance(result, bytes):
            record = candidate.record
            items[record.stream, record.shard].append(_item(candidate.id, record, result))
    valid: dict[tuple[str, str], list[Item]] = {}
    for (stream, shard), found in items.items():
        found.sort(key=_place)
        refusals = check(event_of(stream, shard, found))
        refused += [Refused(each.code, f"{each.field or 'record'}: {each.rule}") for each in refusals.values()]
        if kept := [item for index, item in enumerate(found) if index not in refusals]:
            valid[stream, shard] = kept
    return valid, refused


def _problem_of(record: Rejected, result: bytes | RepairFailure | None) -> Refused | None:
    if isinstance(result, RepairFailure):
        return Refused(REPAIR_FAILED, result.problem)
    if result is None:
        return Refused(record.reason, f"{record.field or 'record'}: {record.rule}")
    payload = read_payload(result)
    if isinstance(payload, UnreadableData):
        return Refused(payload.code, payload.rule)
    if isinstance(payload, list):
        return Refused(AGGREGATE, "the repaired bytes are an aggregate, and a record is replayed as one record")
    return None


def _item(record_id: str, record: Rejected, data: bytes) -> Item:
    return Item(
        record_id,
        record.sequence_number,
        record.subsequence_number,
        record.partition_key,
        record.explicit_hash_key,
        record.arrival,
        data,
    )


def _place(item: Item) -> tuple[int, int]:
    return int(item.sequence_number), item.subsequence_number or 0
