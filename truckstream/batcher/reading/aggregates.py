"""KPL aggregates: replace each aggregate of an event by its user records, in slices that fit the memory.

- User records keep their aggregate's sequence number and arrival, and get a subsequence number: their position in the
  aggregate.
- A broken aggregate stays one record and is rejected as a whole, with the reason. No part of it is guessed.
- Bytes that begin like an aggregate but have another MD5 are a plain record, as they are to the KCL. If the schema
  rejects them, the reason mentions the broken aggregate.
- All user records are kept, also those whose hash key belongs to another shard since a reshard: Lambda delivers the
  aggregate once, on the shard that stored it. (The KCL drops such records, which loses data.)

An event of 6 MB can hold 780,000 user records. Each takes 1.6 KB while it is checked, rejected and stored. So an event
of more than `SLICE` records is divided into slices, which are stored one after the other, as if each were an event:

1. A slice ends where a group ends. Groups follow from the records alone, so a redelivery makes the same groups,
   whatever its slices are.
2. An aggregate of more than `SLICE` records makes slices of its own, and no other record is in a group with it. The
   slices begin at the same user records in every delivery, each makes one group, and `storing/object_key.py` gives each
   a key of its own. Lambda delivers the whole aggregate again if one fails, and the others are found by their keys.

Only an aggregate that shares its sequence number with another record, which Kinesis never does, is not divided: the
numbers of two of its slices could be the same.
"""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Final

from truckstream.batcher.grouping.boundaries import Boundaries
from truckstream.batcher.reading.event import KinesisEvent, UnreadableData
from truckstream.errors import BrokenAggregateError
from truckstream.kpl import MAGIC, decode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from truckstream.kpl import UserRecord

__all__ = ["SLICE", "expand_aggregates", "read_payload"]

#: More than the 10,000 records that Lambda delivers at most, so that only aggregates make an event of several slices.
SLICE: Final = 20_000


def expand_aggregates(event: KinesisEvent, group_size: int) -> Iterator[KinesisEvent]:
    """Generate the event's slices, each aggregate replaced by its user records.

    `group_size` is the number of records that make a full group. An event of few records without an aggregate is
    returned as it is.
    """
    if len(event) <= SLICE and not _may_hold_aggregates(event):
        yield event
        return
    expansion = _Expansion(event, group_size)
    for index, payload in enumerate(event.payloads):
        expansion.add(index, payload)
        if event.boundaries.at_or_after(index + 1) > index + 1:
            continue  # the next record has the same sequence number
        expansion.end_place()
        if expansion.ends_with_long_aggregate:
            yield from expansion.divided()
        elif expansion.is_full:
            yield expansion.event()
        else:
            continue
        expansion = _Expansion(event, group_size)
    if len(expansion):
        yield expansion.event()


def _may_hold_aggregates(event: KinesisEvent) -> bool:
    payloads = event.payloads
    try:
        return any(map(bytes.startswith, payloads, repeat(MAGIC)))  # type: ignore[arg-type]
    except TypeError:  # one of them is not base64
        return any(isinstance(payload, bytes) and payload.startswith(MAGIC) for payload in payloads)


def read_payload(payload: bytes | UnreadableData) -> list[UserRecord] | bytes | UnreadableData:
    """Return the user records of an aggregate, the reason if it is broken, or the payload if it is none."""
    if isinstance(payload, UnreadableData) or not payload.startswith(MAGIC):
        return payload
    try:
        return decode(payload)
    except BrokenAggregateError as error:
        return UnreadableData("broken_aggregate", payload, str(error)) if error.is_aggregate else payload


class _Expansion:
    """Collects the records of a slice. A place is the records that share a sequence number."""

    def __init__(self, event: KinesisEvent, group_size: int) -> None:
        self._event = event
        self._group_size = group_size
        self._group_start = 0
        self._indices: list[int] = []
        self._keys: list[str] = []
        self._payloads: list[bytes | UnreadableData] = []
        self._boundaries = [0]
        self._subsequences: list[int | None] = []
        self._hash_keys: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._indices)

    @property
    def ends_with_long_aggregate(self) -> bool:
        """True if the last place is one aggregate with more records than a slice."""
        start = self._boundaries[-2]
        return len(self) - start > SLICE and self._indices[start] == self._indices[-1]

    @property
    def is_full(self) -> bool:
        """True if the slice has enough records and its last group ends with them."""
        return self._group_start == len(self) >= SLICE

    def add(self, index: int, payload: bytes | UnreadableData) -> None:
        """Add a Kinesis record, or the user records in it."""
        users = read_payload(payload)
        if isinstance(users, list):
            self._add_users(index, users)
        else:
            self._indices.append(index)
            self._keys.append(self._event.partition_keys[index])
            self._payloads.append(users)
            self._subsequences.append(None)

    def end_place(self) -> None:
        """Note that the next record has another sequence number."""
        self._boundaries.append(len(self))
        if len(self) - self._group_start >= self._group_size:
            self._group_start = len(self)

    def event(self) -> KinesisEvent:
        return self._event_of(0, len(self), self._boundaries)

    def divided(self) -> Iterator[KinesisEvent]:
        """Generate the slice of the records before the last aggregate, if there are any, and the slices of it."""
        start = self._boundaries[-2]
        if start:
            yield self._event_of(0, start, self._boundaries[:-1])
        for part in range(start, len(self), SLICE):
            stop = min(part + SLICE, len(self))
            yield self._event_of(part, stop, [0, stop - part])

    def _event_of(self, start: int, stop: int, boundaries: list[int]) -> KinesisEvent:
        indices = self._indices[start:stop]
        return KinesisEvent(
            stream=self._event.stream,
            shard=self._event.shard,
            sequences=[self._event.sequences[index] for index in indices],
            arrivals=[self._event.arrivals[index] for index in indices],
            partition_keys=self._keys[start:stop],
            payloads=self._payloads[start:stop],
            boundaries=Boundaries(boundaries),
            subsequences=self._subsequences[start:stop],
            hash_keys={place - start: key for place, key in self._hash_keys.items() if start <= place < stop},
            previous=self._previous(start),
        )

    def _previous(self, start: int) -> str | None:
        """Return the sequence number of the record before a slice; its own if the slice begins inside an aggregate."""
        if self._subsequences[start]:
            return self._event.sequences[self._indices[start]]
        before = self._indices[start] - 1
        return self._event.sequences[before] if before >= 0 else self._event.previous

    def _add_users(self, index: int, users: list[UserRecord]) -> None:
        start = len(self._indices)
        self._indices += repeat(index, len(users))
        self._keys += [user.partition_key for user in users]
        self._payloads += [user.data for user in users]
        self._subsequences += range(len(users))
        for place, user in enumerate(users, start):
            if user.explicit_hash_key is not None:
                self._hash_keys[place] = user.explicit_hash_key
