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
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from truckstream.kinesis.shard_map import record_hash_key
from truckstream.producer.queueing.bundle import is_mixed
from truckstream.producer.queueing.outbox import count_records, records_of

if TYPE_CHECKING:
    from collections.abc import Iterable, KeysView, Mapping, Sequence

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


#: Bundles that one shard stored, as a heap by the end of their wait.
Heap: TypeAlias = list[tuple[float, int, StoredBundle]]


class UnprovenBundles:
    """Bundles whose shard has an unknown range.

    Each method that removes bundles stops when they have `limit` records: they are handled in steps.

    Args:
        delivery_timeout: seconds from put to the latest outcome, as in the options.
    """

    __slots__ = ("_by_shard", "_delivery_timeout", "_ties")

    def __init__(self, delivery_timeout: float) -> None:
        self._delivery_timeout = delivery_timeout
        self._by_shard: dict[str, Heap] = {}
        self._ties = itertools.count()

    @property
    def shard_ids(self) -> KeysView[str]:
        """The shards that stored the bundles."""
        return self._by_shard.keys()

    @property
    def next_at(self) -> float:
        """When the first bundle has waited long enough; infinity if there is none."""
        return min((heap[0][0] for heap in self._by_shard.values()), default=math.inf)

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
        heap = self._by_shard.setdefault(stored.response.shard_id or "", [])
        heapq.heappush(heap, (until, next(self._ties), stored))

    def take_due(self, now: float, limit: int) -> list[StoredBundle]:
        """Remove bundles that have waited long enough."""
        due: list[StoredBundle] = []
        for heap in self._by_shard.values():
            while limit > 0 and heap and heap[0][0] <= now:
                due.append(heapq.heappop(heap)[2])
                limit -= count_records(due[-1].bundle)
        return self._count_out(due)

    def take_judged(self, shards: Mapping[str, Shard], limit: int) -> tuple[list[StoredBundle], list[StoredBundle]]:
        """Remove bundles whose shard is in `shards`. Return those that the KCL reads, and those that it discards.

        `shards` has the closed shards too: the one that stored the bundle may have been split since.
        """
        judged = self._take([heap for shard_id, heap in self._by_shard.items() if shard_id in shards], limit)
        readable: list[StoredBundle] = []
        discarded: list[StoredBundle] = []
        for stored in judged:
            shard = shards[stored.response.shard_id or ""]
            (readable if _owns_all(shard, stored.bundle) else discarded).append(stored)
        return readable, discarded

    def take(self, limit: int) -> list[StoredBundle]:
        """Remove bundles of any shard."""
        return self._take(self._by_shard.values(), limit)

    def _take(self, heaps: Iterable[Heap], limit: int) -> list[StoredBundle]:
        """Remove bundles from `heaps`, the last ones first: then those that follow go before them in the queues."""
        taken: list[StoredBundle] = []
        for heap in heaps:
            while limit > 0 and heap:
                taken.append(heap.pop()[2])  # which leaves a heap
                limit -= count_records(taken[-1].bundle)
        return self._count_out(taken)

    def _count_out(self, taken: list[StoredBundle]) -> list[StoredBundle]:
        for bundle, _, _ in taken:
            bundle.outbox.backing_off -= count_records(bundle)
        self._by_shard = {shard_id: heap for shard_id, heap in self._by_shard.items() if heap}
        return taken


def _owns_all(shard: Shard, bundle: Parcel) -> bool:
    hash_keys = (record_hash_key(record.partition_key, record.explicit_hash_key) for record in records_of(bundle))
    return all(map(shard.owns, hash_keys))
