"""Bundles that are stored, but perhaps not for every reader.

The KCL compares the hash key of each record of an aggregate with the range of the shard that it reads. If one lies
outside, it discards the whole aggregate (`AggregatorUtil.deaggregate` of amazon-kinesis-client, read 2026-11-29). So a
bundle of several keys that was in flight when its shard was split is lost for these readers: a child stored it whole.
Other readers, such as Lambda functions, do not know the ranges, and take all of its records.

The response names the child, but its range is only known from the next map. Until then the bundle waits here without
an outcome. If its records lie in the range, as after a merge, it is acknowledged. Otherwise all of its records are sent
again, in bundles for the shards that the map has now. Readers that do not check hash keys get them twice, so their
acknowledgements have `maybe_duplicate`. The alternative is to acknowledge records that the KCL never delivers. Only
the bundles that were in flight when the first response from a child came are concerned.

If no map comes, the records are sent again one key at a time, which is right whatever the ranges are.
"""

from __future__ import annotations

import heapq
import itertools
import math
from typing import TYPE_CHECKING, Final, NamedTuple

from truckstream.kinesis.shard_map import record_hash_key
from truckstream.producer.queueing.bundle import is_mixed
from truckstream.producer.queueing.outbox import count_records, records_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from truckstream.kinesis.responses import RecordResponse
    from truckstream.kinesis.shard_map import Shard
    from truckstream.producer.queueing.outbox import Parcel
    from truckstream.producer.queueing.request import Request

__all__ = ["UNPROVEN_SECONDS", "StoredBundle", "UnprovenBundles"]

#: The longest wait for a map, in seconds: a listing takes well under one, and a second one is tried in this time.
#: Longer waits would save duplicates after a merge, but delay readers, and with `ordered=True` the keys' next records.
UNPROVEN_SECONDS: Final = 5.0


class StoredBundle(NamedTuple):
    """A bundle and the response to it."""

    bundle: Parcel
    response: RecordResponse
    sent_at: float


class UnprovenBundles:
    """Bundles whose shard has an unknown range.

    Args:
        delivery_timeout: seconds from put to the latest outcome, as in the options.
    """

    __slots__ = ("_delivery_timeout", "_heap", "_ties")

    def __init__(self, delivery_timeout: float) -> None:
        self._delivery_timeout = delivery_timeout
        self._heap: list[tuple[float, int, StoredBundle]] = []
        self._ties = itertools.count()

    def __len__(self) -> int:
        """The number of bundles that wait."""
        return len(self._heap)

    @property
    def next_at(self) -> float:
        """When the first bundle has waited long enough; infinity if there is none."""
        return self._heap[0][0] if self._heap else math.inf

    def hold(
        self, request: Request, parcels: Sequence[Parcel], responses: Sequence[RecordResponse], now: float
    ) -> tuple[list[Parcel], list[RecordResponse]]:
        """Hold the bundles of several keys that another shard stored. Return the other parcels and their responses."""
        others: list[Parcel] = []
        their_responses: list[RecordResponse] = []
        for parcel, response in zip(parcels, responses, strict=True):
            if response.shard_id == parcel.outbox.shard_id or not is_mixed(parcel):
                others.append(parcel)
                their_responses.append(response)
            else:
                self._add(StoredBundle(parcel, response, request.sent_at), now)
        return others, their_responses

    def _add(self, stored: StoredBundle, now: float) -> None:
        time_left = stored.bundle.put_at + self._delivery_timeout - now
        until = now + min(UNPROVEN_SECONDS, time_left / 2)  # which leaves time to send the records again
        stored.bundle.outbox.backing_off += count_records(stored.bundle)
        heapq.heappush(self._heap, (until, next(self._ties), stored))

    def take_due(self, now: float) -> list[StoredBundle]:
        """Remove the bundles that have waited long enough."""
        return self._take([entry for entry in self._heap if entry[0] <= now])

    def take_judged(self, shards: Mapping[str, Shard]) -> tuple[list[StoredBundle], list[StoredBundle]]:
        """Remove the bundles whose shard is in `shards`. Return those that the KCL reads, and those that it discards.

        `shards` has the closed shards too: the one that stored the bundle may have been split since.
        """
        judged = self._take([entry for entry in self._heap if entry[2].response.shard_id in shards])
        readable: list[StoredBundle] = []
        discarded: list[StoredBundle] = []
        for stored in judged:
            shard = shards[stored.response.shard_id or ""]
            (readable if _owns_all(shard, stored.bundle) else discarded).append(stored)
        return readable, discarded

    def take_all(self) -> list[StoredBundle]:
        """Remove all bundles."""
        return self._take(self._heap)

    def _take(self, entries: list[tuple[float, int, StoredBundle]]) -> list[StoredBundle]:
        if not entries:
            return []
        taken = {number for _, number, _ in entries}
        self._heap = [entry for entry in self._heap if entry[1] not in taken]
        heapq.heapify(self._heap)
        for _, _, stored in entries:
            stored.bundle.outbox.backing_off -= count_records(stored.bundle)
        return [stored for _, _, stored in sorted(entries, key=_number)]


def _number(entry: tuple[float, int, StoredBundle]) -> int:
    return entry[1]


def _owns_all(shard: Shard, bundle: Parcel) -> bool:
    hash_keys = (record_hash_key(record.partition_key, record.explicit_hash_key) for record in records_of(bundle))
    return all(map(shard.owns, hash_keys))
