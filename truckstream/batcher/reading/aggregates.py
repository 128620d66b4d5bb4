"""Aggregates of the KPL taken apart: a delivery of Kinesis records becomes one of user records.

- User records keep their aggregate's sequence number and arrival, and have a subsequence number: their place in it.
- A broken aggregate stays one record and is refused whole, with its reason. Nothing of it is guessed.
- Bytes that begin like an aggregate and have another MD5 are a plain record, as to the KCL. If the schema refuses
  them, the reason says what they may have been.
- All user records are kept, also those whose hash key belongs to another shard since a reshard: Lambda delivers the
  aggregate once, on the shard that took it. (The KCL drops them, and with them data.)
"""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING

from truckstream.batcher.grouping.edges import Edges
from truckstream.batcher.reading.event import Delivery, Unreadable
from truckstream.errors import BrokenAggregateError, InvalidRecordError
from truckstream.kpl import MAGIC, decode

if TYPE_CHECKING:
    from truckstream.kpl import UserRecord

__all__ = ["explain_suspect", "take_apart"]


def take_apart(delivery: Delivery) -> Delivery:
    """The delivery with each aggregate replaced by its user records; itself if there is none."""
    if not _may_hold_aggregates(delivery):
        return delivery
    whole = _Unpacked(delivery)
    for index, payload in enumerate(delivery.payloads):
        whole.add(index, payload)
    return whole.delivery()


def _may_hold_aggregates(delivery: Delivery) -> bool:
    payloads = delivery.payloads
    try:
        return any(map(bytes.startswith, payloads, repeat(MAGIC)))  # type: ignore[arg-type]
    except TypeError:  # one that is not base64 is among them
        return any(isinstance(payload, bytes) and payload.startswith(MAGIC) for payload in payloads)


class _Unpacked:
    """Collects the user records of a delivery."""

    def __init__(self, delivery: Delivery) -> None:
        self._from = delivery
        self._indices: list[int] = []
        self._keys: list[str] = []
        self._payloads: list[bytes | Unreadable] = []
        self._places = [0]
        self._subsequences: list[int | None] = []
        self._hash_keys: dict[int, str] = {}

    def add(self, index: int, payload: bytes | Unreadable) -> None:
        users = self._users(payload)
        if isinstance(users, list):
            self._add_users(index, users)
        else:
            self._indices.append(index)
            self._keys.append(self._from.partition_keys[index])
            self._payloads.append(users)
            self._subsequences.append(None)
        self._places.append(len(self._indices))

    @staticmethod
    def _users(payload: bytes | Unreadable) -> list[UserRecord] | bytes | Unreadable:
        if isinstance(payload, Unreadable) or not payload.startswith(MAGIC):
            return payload
        try:
            return decode(payload)
        except BrokenAggregateError as error:
            return Unreadable("broken_aggregate", payload, str(error)) if error.is_aggregate else payload

    def _add_users(self, index: int, users: list[UserRecord]) -> None:
        begin = len(self._indices)
        self._indices += repeat(index, len(users))
        self._keys += [user.partition_key for user in users]
        self._payloads += [user.data for user in users]
        self._subsequences += range(len(users))
        for place, user in enumerate(users, begin):
            if user.explicit_hash_key is not None:
                self._hash_keys[place] = user.explicit_hash_key

    def delivery(self) -> Delivery:
        return Delivery(
            stream=self._from.stream,
            shard=self._from.shard,
            sequences=[self._from.sequences[index] for index in self._indices],
            arrivals=[self._from.arrivals[index] for index in self._indices],
            partition_keys=self._keys,
            payloads=self._payloads,
            edges=Edges(self._places),
            subsequences=self._subsequences,
            hash_keys=self._hash_keys,
        )


def explain_suspect(payload: bytes | Unreadable) -> InvalidRecordError | None:
    """What is wrong with a refused record that begins like an aggregate; None for any other."""
    if isinstance(payload, Unreadable) or not payload.startswith(MAGIC):
        return None
    try:
        decode(payload)
    except BrokenAggregateError as error:
        return InvalidRecordError("broken_aggregate", None, payload, str(error))
    return None  # an aggregate within an aggregate
