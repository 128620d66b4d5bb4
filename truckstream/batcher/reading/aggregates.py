"""KPL aggregates: replace each aggregate of an event by its user records.

- User records keep their aggregate's sequence number and arrival, and get a subsequence number: their position in the
  aggregate.
- A broken aggregate stays one record and is rejected as a whole, with the reason. No part of it is guessed.
- Bytes that begin like an aggregate but have another MD5 are a plain record, as they are to the KCL. If the schema
  rejects them, the reason mentions the broken aggregate.
- All user records are kept, also those whose hash key belongs to another shard since a reshard: Lambda delivers the
  aggregate once, on the shard that stored it. (The KCL drops such records, which loses data.)
"""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING

from truckstream.batcher.grouping.boundaries import Boundaries
from truckstream.batcher.reading.event import KinesisEvent, UnreadableData
from truckstream.errors import BrokenAggregateError
from truckstream.kpl import MAGIC, decode

if TYPE_CHECKING:
    from truckstream.kpl import UserRecord

__all__ = ["expand_aggregates"]


def expand_aggregates(event: KinesisEvent) -> KinesisEvent:
    """Return the event with each aggregate replaced by its user records; the same event if it has no aggregate."""
    if not _may_hold_aggregates(event):
        return event
    expansion = _Expansion(event)
    for index, payload in enumerate(event.payloads):
        expansion.add(index, payload)
    return expansion.event()


def _may_hold_aggregates(event: KinesisEvent) -> bool:
    payloads = event.payloads
    try:
        return any(map(bytes.startswith, payloads, repeat(MAGIC)))  # type: ignore[arg-type]
    except TypeError:  # one of them is not base64
        return any(isinstance(payload, bytes) and payload.startswith(MAGIC) for payload in payloads)


class _Expansion:
    """Collects the user records of an event."""

    def __init__(self, event: KinesisEvent) -> None:
        self._event = event
        self._indices: list[int] = []
        self._keys: list[str] = []
        self._payloads: list[bytes | UnreadableData] = []
        self._boundaries = [0]
        self._subsequences: list[int | None] = []
        self._hash_keys: dict[int, str] = {}

    def add(self, index: int, payload: bytes | UnreadableData) -> None:
        """Add a Kinesis record, or the user records in it."""
        users = self._users(payload)
        if isinstance(users, list):
            self._add_users(index, users)
        else:
            self._indices.append(index)
            self._keys.append(self._event.partition_keys[index])
            self._payloads.append(users)
            self._subsequences.append(None)
        if self._event.boundaries.at_or_after(index + 1) == index + 1:
            self._boundaries.append(len(self._indices))

    @staticmethod
    def _users(payload: bytes | UnreadableData) -> list[UserRecord] | bytes | UnreadableData:
        if isinstance(payload, UnreadableData) or not payload.startswith(MAGIC):
            return payload
        try:
            return decode(payload)
        except BrokenAggregateError as error:
            return UnreadableData("broken_aggregate", payload, str(error)) if error.is_aggregate else payload

    def _add_users(self, index: int, users: list[UserRecord]) -> None:
        start = len(self._indices)
        self._indices += repeat(index, len(users))
        self._keys += [user.partition_key for user in users]
        self._payloads += [user.data for user in users]
        self._subsequences += range(len(users))
        for place, user in enumerate(users, start):
            if user.explicit_hash_key is not None:
                self._hash_keys[place] = user.explicit_hash_key

    def event(self) -> KinesisEvent:
        return KinesisEvent(
            stream=self._event.stream,
            shard=self._event.shard,
            sequences=[self._event.sequences[index] for index in self._indices],
            arrivals=[self._event.arrivals[index] for index in self._indices],
            partition_keys=self._keys,
            payloads=self._payloads,
            boundaries=Boundaries(self._boundaries),
            subsequences=self._subsequences,
            hash_keys=self._hash_keys,
        )
