"""Aggregates: replace each aggregate of an event by its user records, in slices that fit the memory.

Below, "aggregate" means an aggregate of the KPL or an envelope.

- User records keep their aggregate's sequence number and arrival, and get a subsequence number: their position in the
  aggregate.
- A broken aggregate stays one record and is rejected as a whole, with the reason. No part of it is guessed.
- Bytes that begin like an aggregate of the KPL but have another MD5 are a plain record, as they are to the KCL. If the
  schema rejects them, the reason mentions the broken aggregate.
- All user records are kept, also those whose hash key belongs to another shard since a reshard: Lambda delivers the
  aggregate once, on the shard that stored it. (The KCL drops such records, which loses data.)
- An aggregate is *long* if it alone has more records or bytes than a group. It is cut into groups of its own, from its
  first record on, each as large as a group. Where it is cut follows from the aggregate alone.

An event of 6 MB can hold 780,000 user records in the KPL's format, each of which takes 1.6 KB while it is checked,
rejected and stored; in envelopes it can hold gigabytes. So the event is divided into slices of about `SLICE` records or
`SLICE_BYTES`, which are stored one after the other, as if each were an event. Aggregates are opened one by one, so that
there is one slice in memory, and one open aggregate. A slice ends where a group ends. Groups follow from the records
alone, so a redelivery makes the same groups, whatever its slices are.

Only an aggregate that shares its sequence number with another record, which Kinesis never does, is not cut: the numbers
of two of its parts could be the same.
"""

from __future__ import annotations

from itertools import accumulate, repeat
from typing import TYPE_CHECKING, Final

from truckstream.batcher.grouping.boundaries import GROUP_BYTES, Boundaries
from truckstream.batcher.reading.event import KinesisEvent, UnreadableData
from truckstream.deaggregation import MAGICS, deaggregate
from truckstream.errors import BrokenAggregateError, BrokenEnvelopeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from truckstream.kpl import UserRecord

__all__ = ["SLICE", "expand_aggregates", "read_payload"]

#: More than the 10,000 records that Lambda delivers at most, so that only aggregates make an event of several slices.
SLICE: Final = 20_000
#: Bytes of user records. A rejected record of control characters takes six times its bytes as a line of JSON.
SLICE_BYTES: Final = 8 * 1024 * 1024


def expand_aggregates(event: KinesisEvent, group_size: int) -> Iterator[KinesisEvent]:
    """Generate the event's slices, each aggregate replaced by its user records.

    `group_size` is the number of records that make a full group. An event of few records without an aggregate is
    returned as it is.
    """
    if len(event) <= SLICE and not _may_hold_aggregates(event):
        yield event
        return
    expansion = _Slice(event, group_size)
    for index, payload in enumerate(event.payloads):
        users = read_payload(payload)
        if isinstance(users, list) and _is_alone(event, index) and _is_long(users, group_size):
            expansion.fix_edge()
            for start, stop in _cuts(users, group_size):
                if expansion.is_full:
                    yield expansion.event()
                    expansion = _Slice(event, group_size)
                expansion.add_part(index, users, start, stop)
        else:
            expansion.add(index, users)
            if event.boundaries.at_or_after(index + 1) > index + 1:
                continue  # the next record has the same sequence number
            expansion.end_place()
        if expansion.is_full:
            yield expansion.event()
            expansion = _Slice(event, group_size)
    if len(expansion):
        yield expansion.event()


def _may_hold_aggregates(event: KinesisEvent) -> bool:
    payloads = event.payloads
    try:
        return any(map(bytes.startswith, payloads, repeat(MAGICS)))  # type: ignore[arg-type]
    except TypeError:  # one of them is not base64
        return any(isinstance(payload, bytes) and payload.startswith(MAGICS) for payload in payloads)


def read_payload(payload: bytes | UnreadableData) -> list[UserRecord] | bytes | UnreadableData:
    """Return the user records of an aggregate, the reason if it is broken, or the payload if it is none."""
    if isinstance(payload, UnreadableData):
        return payload
    try:
        users = deaggregate(payload)
    except BrokenEnvelopeError as error:
        return UnreadableData("broken_envelope", payload, str(error))
    except BrokenAggregateError as error:
        return UnreadableData("broken_aggregate", payload, str(error))
    return payload if users is None else users


def _is_alone(event: KinesisEvent, index: int) -> bool:
    """True if no other record has the sequence number of this one."""
    return event.boundaries.at_or_before(index) == index and event.boundaries.at_or_after(index + 1) == index + 1


def _is_long(users: Sequence[UserRecord], group_size: int) -> bool:
    return len(users) > group_size or sum(len(user.data) for user in users) > GROUP_BYTES


def _cuts(users: Sequence[UserRecord], group_size: int) -> Iterator[tuple[int, int]]:
    """Generate the beginnings and ends of a long aggregate's groups."""
    whole = Boundaries(None, sizes=list(accumulate((len(user.data) for user in users), initial=0)))
    start = 0
    while start < len(users):
        stop = whole.end_of_group(start, group_size, len(users)).stop
        yield start, stop
        start = stop


class _Slice:
    """Collects the records of a slice. A place is the records that share a sequence number."""

    def __init__(self, event: KinesisEvent, group_size: int) -> None:
        self._event = event
        self._group_size = group_size
        self._group_start = 0
        self._indices: list[int] = []
        self._keys: list[str] = []
        self._payloads: list[bytes | UnreadableData] = []
        self._boundaries = [0]
        self._fixed_edges: list[int] = []
        self._subsequences: list[int | None] = []
        self._hash_keys: dict[int, str] = {}
        self._long_aggregates: dict[int, int] = {}
        #: For each index, the bytes of user records before it.
        self._sizes = [0]

    def __len__(self) -> int:
        return len(self._indices)

    @property
    def is_full(self) -> bool:
        """True if the slice has enough records or bytes, and its last group ends with them."""
        return self._group_start == len(self) and (len(self) >= SLICE or self._sizes[-1] >= SLICE_BYTES)

    def add(self, index: int, users: list[UserRecord] | bytes | UnreadableData) -> None:
        """Add a Kinesis record, or the user records in it."""
        if isinstance(users, list):
            self._add_users(index, users, 0)
        else:
            self._indices.append(index)
            self._keys.append(self._event.partition_keys[index])
            self._payloads.append(users)
            self._subsequences.append(None)
            self._sizes.append(self._sizes[-1])

    def add_part(self, index: int, users: Sequence[UserRecord], start: int, stop: int) -> None:
        """Add the user records of a long aggregate from position `start` to `stop`, which make a group."""
        self._long_aggregates[len(self)] = len(users)
        self._add_users(index, users[start:stop], start)
        self.fix_edge()

    def _add_users(self, index: int, users: Sequence[UserRecord], first: int) -> None:
        """Add user records of an aggregate; `first` is the position of the first one in it."""
        start = len(self._indices)
        self._indices += repeat(index, len(users))
        self._keys += [user.partition_key for user in users]
        self._payloads += [user.data for user in users]
        self._subsequences += range(first, first + len(users))
        self._sizes += accumulate((len(user.data) for user in users), initial=self._sizes.pop())
        for place, user in enumerate(users, start):
            if user.explicit_hash_key is not None:
                self._hash_keys[place] = user.explicit_hash_key

    def end_place(self) -> None:
        """Note that the next record has another sequence number."""
        self._boundaries.append(len(self))
        group_bytes = self._sizes[-1] - self._sizes[self._group_start]
        if len(self) - self._group_start >= self._group_size or group_bytes >= GROUP_BYTES:
            self._group_start = len(self)

    def fix_edge(self) -> None:
        """Note that a group ends here."""
        if self._boundaries[-1] != len(self):
            self._boundaries.append(len(self))
        self._fixed_edges.append(len(self))
        self._group_start = len(self)

    def event(self) -> KinesisEvent:
        indices = self._indices
        before = indices[0] - 1
        previous = self._event.sequences[before] if before >= 0 else self._event.previous
        if self._subsequences[0]:
            previous = self._event.sequences[indices[0]]  # the slice begins inside an aggregate
        return KinesisEvent(
            stream=self._event.stream,
            shard=self._event.shard,
            sequences=[self._event.sequences[index] for index in indices],
            arrivals=[self._event.arrivals[index] for index in indices],
            partition_keys=self._keys,
            payloads=self._payloads,
            boundaries=Boundaries(self._boundaries, self._fixed_edges, self._sizes),
            subsequences=self._subsequences,
            hash_keys=self._hash_keys,
            previous=previous,
            long_aggregates=self._long_aggregates,
        )
