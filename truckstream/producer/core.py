"""The producer's thinking: records in, requests and outcomes out. No socket, task, sleep or clock.

The shell calls `put`, `requests_due`, `on_answers`, `on_failure`, `on_shards`, `flush` and `abort` with the time
in seconds of any monotonic clock, sends what `requests_due` gives it, wakes whoever waits for what `take_settled`
gives it, and calls again at `next_wakeup`.

Invariants:
- A record is in exactly one place: an outbox, a request under way, a half of a refused request, or the retries.
- An entry gets its outcome once. After `abort` no entry is without one.
- The bytes of the budget that are in use are the costs of the entries without an outcome.
- A stored record is never sent again, whatever shard took it.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from truckstream.errors import (
    DeliveryError,
    DeliveryTimeoutError,
    DeliveryUnknownError,
    ProducerClosedError,
    RecordTooLargeError,
    ServiceError,
    TruckstreamError,
)
from truckstream.kinesis.encoding import encode_tail
from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.kinesis.limits import DEFAULT_MAX_RECORD_BYTES, MAX_BYTES_PER_REQUEST, MAX_RECORDS_PER_REQUEST
from truckstream.kinesis.shards import Shard, ShardMap, check_partition_key, hash_key_of, parse_hash_key
from truckstream.producer.entry import cost_of, largest_size
from truckstream.producer.outbox import Outbox
from truckstream.producer.pacing import ShardPace
from truckstream.producer.retry import Backoff
from truckstream.producer.stats import ProducerStats, ShardStats

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from random import Random

    from truckstream.kinesis.client import RecordAnswer
    from truckstream.producer.entry import Entry

__all__ = ["ProducerCore", "ProducerOptions", "Request"]

THROTTLED_CODE: Final = "ProvisionedThroughputExceededException"

#: Routes that are remembered, so that a key is hashed once: a fleet's keys fit, and 64Ki keys take about 10 MB.
MAX_REMEMBERED_ROUTES: Final = 65_536

#: The least and the most seconds between two looks at the stream's shards: doubling while they do not explain the
#: answers, so that a stream that is being resharded, or a service that misreports, is not asked all the time.
MAP_REFRESH_SECONDS: Final = (1.0, 30.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProducerOptions:
    """What a producer may do. Times in seconds, sizes in bytes."""

    buffer_bytes: int
    linger: float
    delivery_timeout: float
    max_in_flight: int
    pacing: bool = True
    max_batch_records: int = MAX_RECORDS_PER_REQUEST
    max_batch_bytes: int = MAX_BYTES_PER_REQUEST


class Route(NamedTuple):
    """Where a record goes by its keys, and what the keys add to it."""

    outbox: Outbox
    #: The partition key's bytes, as the service counts them.
    key_size: int
    #: The end of the record's piece.
    tail: bytes


class Request:
    """Records that go in one PutRecords call."""

    __slots__ = ("by_outbox", "entries")

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries
        self.by_outbox = Counter(entry.outbox for entry in entries)

    def __repr__(self) -> str:
        return f"<Request of {len(self.entries)} records for {len(self.by_outbox)} shards>"


@dataclass(slots=True)
class _Counters:
    put: int = 0
    acked: int = 0
    acked_bytes: int = 0
    failed: int = 0
    maybe_duplicates: int = 0
    sent: int = 0
    retried: int = 0
    throttled: int = 0
    requests: int = 0


@dataclass(slots=True)
class _MapRefresh:
    """When the stream's shards are to be listed again."""

    wanted: bool = False
    under_way: bool = False
    not_before: float = -math.inf
    delay: float = MAP_REFRESH_SECONDS[0]


@dataclass(order=True, slots=True)
class _Retry:
    at: float
    tie: int
    outbox: Outbox = field(compare=False)
    entries: list[Entry] = field(compare=False)


class ProducerCore:
    """Decides what is sent when, and what becomes of each record."""

    def __init__(self, options: ProducerOptions, random: Random) -> None:
        self.options = options
        self.max_record_bytes = DEFAULT_MAX_RECORD_BYTES
        self.used_bytes = 0
        self._backoff = Backoff(random)
        self._counters = _Counters()
        # Where records are. Outboxes by shard; the one without a shard takes what no shard is known for.
        self._unrouted = Outbox(None, None)
        self._outboxes: dict[str | None, Outbox] = {}
        self._retries: list[_Retry] = []
        self._ties = itertools.count()
        self._halves: deque[list[Entry]] = deque()
        self._in_flight: set[Request] = set()
        # Where keys go.
        self._map = ShardMap(())
        self._routes: dict[str, Route] = {}
        self._refresh = _MapRefresh()
        # Flushing: an entry belongs to the epoch in which it was put; a flush ends an epoch.
        self._epoch = 1
        self._flushed_epoch = 0
        self._unsettled_by_epoch: Counter[int] = Counter()
        self._settled: list[Entry] = []
        # Before this time nothing is due, unless a put below brings it forward. Guards `requests_due`.
        self._quiet_until = -math.inf
        self._sendable = 0
        self._turn = 0

    # --- Records come in --------------------------------------------------------------------------

    def route(self, partition_key: str, explicit_hash_key: str | None) -> Route:
        """What the keys of a record say of it.

        Raises:
            InvalidArgumentError: one of the keys breaks the service's rules.
        """
        if explicit_hash_key is not None:
            outbox, size = self._outbox_of(parse_hash_key(explicit_hash_key)), len(check_partition_key(partition_key))
            return Route(outbox, size, encode_tail(partition_key, explicit_hash_key))
        route = self._routes.get(partition_key)
        if route is None:
            encoded = check_partition_key(partition_key)
            if len(self._routes) >= MAX_REMEMBERED_ROUTES:
                self._routes.clear()
            route = Route(self._outbox_of(hash_key_of(encoded)), len(encoded), encode_tail(partition_key))
            self._routes[partition_key] = route
        return route

    def check_size(self, size: int) -> None:
        """Refuse a record that can never be sent.

        Raises:
            RecordTooLargeError: `size` is over the stream's limit or a request's, or takes more than the buffer.
        """
        if size > self.max_record_bytes:
            raise RecordTooLargeError(size, self.max_record_bytes, "the stream's limit")
        if size > self.options.max_batch_bytes:
            raise RecordTooLargeError(size, self.options.max_batch_bytes, "the limit of a request")
        if cost_of(size) > self.options.buffer_bytes:
            raise RecordTooLargeError(size, largest_size(self.options.buffer_bytes), "the buffer's room")

    def reserve(self, cost: int) -> bool:
        """Take `cost` bytes of the budget, if they are free."""
        if self.used_bytes + cost > self.options.buffer_bytes:
            return False
        self.used_bytes += cost
        return True

    def release(self, cost: int) -> None:
        """Give back what `reserve` took for a record that was not put after all."""
        self.used_bytes -= cost

    @property
    def free_bytes(self) -> int:
        return self.options.buffer_bytes - self.used_bytes

    def put(self, entry: Entry, now: float) -> None:
        """Accept `entry`, whose cost is reserved."""
        if entry.outbox is not self._outboxes.get(entry.outbox.shard_id, self._unrouted):
            entry.outbox = self.route(entry.partition_key, entry.explicit_hash_key).outbox  # resharded while it waited
        outbox = entry.outbox
        entry.epoch = self._epoch
        entry.linger_until = now + self.options.linger
        entry.deadline = now + self.options.delivery_timeout
        self._unsettled_by_epoch[self._epoch] += 1
        self._counters.put += 1
        queued = len(outbox.queue)
        outbox.append(entry)
        # Only two puts can make a request due earlier: the first of a queue, and the one that fills a request.
        if queued == 0:
            self._quiet_until = min(self._quiet_until, entry.linger_until)
        if outbox.pace is None or queued < outbox.pace.last_allowed:
            self._sendable += 1
            if self._sendable >= self.options.max_batch_records or outbox.queued_bytes >= self.options.max_batch_bytes:
                self._quiet_until = -math.inf

    # --- Requests go out --------------------------------------------------------------------------

    def requests_due(self, now: float) -> list[Request]:
        """The requests to send now. Each must be answered by `on_answers` or `on_failure`."""
        if now < self._quiet_until:
            return []
        self._return_retries(now)
        self._expire(now)
        requests = []
        while len(self._in_flight) < self.options.max_in_flight:
            entries = self._halves.popleft() if self._halves else self._pack(now)
            if not entries:
                break
            requests.append(self._send(entries))
        self._quiet_until = self._next_due(now)
        return requests

    def next_wakeup(self, now: float) -> float | None:
        """When `requests_due`, just asked, may have more; None if only an answer or a put can bring it."""
        at = min(self._quiet_until, self._map_refresh_at())
        return None if at == math.inf else max(at, now)

    def _pack(self, now: float) -> list[Entry]:
        """Entries for one request, if one is due: from each outbox in turn what its pace allows."""
        outboxes = self._all_outboxes()
        if not self._is_due(outboxes, now):
            return []
        entries: list[Entry] = []
        bytes_left = self.options.max_batch_bytes
        self._turn = (self._turn + 1) % len(outboxes)  # a full request must not always favour the same shards
        for outbox in outboxes[self._turn :] + outboxes[: self._turn]:
            taken = outbox.take(self.options.max_batch_records - len(entries), bytes_left, now)
            bytes_left -= sum(entry.size for entry in taken)
            entries += taken
        return entries

    def _is_due(self, outboxes: Sequence[Outbox], now: float) -> bool:
        self._sendable = sum(min(len(outbox.queue), outbox.allowance(now)) for outbox in outboxes)
        return (
            self._sendable >= self.options.max_batch_records
            or any(outbox.queued_bytes >= self.options.max_batch_bytes for outbox in outboxes if outbox.pace is None)
            or any(outbox.due_at(now, self._flushed_epoch) <= now for outbox in outboxes)
        )

    def _send(self, entries: list[Entry]) -> Request:
        request = Request(entries)
        for entry in entries:
            entry.attempts += 1
            self._counters.retried += entry.attempts > 1
        for outbox, count in request.by_outbox.items():
            outbox.in_flight += count
        self._counters.sent += len(entries)
        self._counters.requests += 1
        self._in_flight.add(request)
        return request

    def _return_retries(self, now: float) -> None:
        while self._retries and self._retries[0].at <= now:
            retry = heapq.heappop(self._retries)
            retry.outbox.backed_off -= len(retry.entries)
            if retry.outbox is self._outboxes.get(retry.outbox.shard_id, self._unrouted):
                retry.outbox.return_to_front(retry.entries)
            else:
                self._route_again(retry.entries)

    def _expire(self, now: float) -> None:
        for outbox in self._all_outboxes():
            while outbox.queue and outbox.queue[0].deadline <= now:
                self._give_up(outbox.pop())

    def _next_due(self, now: float) -> float:
        outboxes = self._all_outboxes()
        at = self._retries[0].at if self._retries else math.inf
        for outbox in outboxes:
            if outbox.queue:
                at = min(at, outbox.queue[0].deadline)
                if len(self._in_flight) < self.options.max_in_flight:
                    at = min(at, outbox.due_at(now, self._flushed_epoch))
        return at

    # --- Outcomes ---------------------------------------------------------------------------------

    def on_answers(self, request: Request, answers: Sequence[RecordAnswer], now: float) -> None:
        """The service's answers to `request`, in the order of its entries."""
        if len(answers) != len(request.entries):
            text = f"{len(answers)} answers for {len(request.entries)} records"
            self.on_failure(request, RequestFailedError(FailureKind.AMBIGUOUS, "MalformedAnswer", text), now)
            return
        if not self._finish(request):
            return
        refused: dict[Outbox, list[Entry]] = {}
        throttling: set[Outbox] = set()
        for entry, answer in zip(request.entries, answers, strict=True):
            if answer.error_code is None:
                self._acknowledge(entry, answer)
                continue
            refused.setdefault(entry.outbox, []).append(entry)
            if answer.error_code == THROTTLED_CODE:
                entry.outbox.throttled += 1
                self._counters.throttled += 1
                throttling.add(entry.outbox)
        self._slow_down(throttling, now)
        for outbox, entries in refused.items():
            self._retry(outbox, entries, now)

    def on_failure(self, request: Request, failure: RequestFailedError, now: float) -> None:
        """`request` failed as a whole."""
        if not self._finish(request):
            return
        entries = request.entries
        if failure.kind is FailureKind.POISONED and len(entries) > 1:
            # Only the malformed record shall fail: look for it by halves.
            middle = len(entries) // 2
            self._halves += (entries[:middle], entries[middle:])
            return
        if failure.kind in {FailureKind.POISONED, FailureKind.PERMANENT}:
            for entry in entries:
                self._fail(entry, failure.to_service_error())
            return
        if failure.kind is FailureKind.THROTTLED:
            self._counters.throttled += len(entries)
            for outbox, count in request.by_outbox.items():
                outbox.throttled += count
            self._slow_down(request.by_outbox, now)
        by_outbox: dict[Outbox, list[Entry]] = {}
        for entry in entries:
            entry.maybe_duplicate |= failure.kind is FailureKind.AMBIGUOUS
            by_outbox.setdefault(entry.outbox, []).append(entry)
        for outbox, group in by_outbox.items():
            self._retry(outbox, group, now)

    def take_settled(self) -> list[Entry]:
        """The entries that got their outcome since the last call."""
        settled, self._settled = self._settled, []
        return settled

    def _finish(self, request: Request) -> bool:
        """Take `request` off those under way; False if it was aborted meanwhile."""
        if request not in self._in_flight:
            return False
        self._in_flight.remove(request)
        self._quiet_until = -math.inf
        for outbox, count in request.by_outbox.items():
            outbox.in_flight -= count
        return True

    def _acknowledge(self, entry: Entry, answer: RecordAnswer) -> None:
        entry.answer = answer
        entry.outbox.acked += 1
        self._counters.acked += 1
        self._counters.acked_bytes += entry.size
        if answer.shard_id != entry.outbox.shard_id:
            self._refresh.wanted = True
        self._settle(entry)

    def _slow_down(self, outboxes: Iterable[Outbox], now: float) -> None:
        for outbox in outboxes:
            if outbox.pace:
                outbox.pace.on_throttled(now)

    def _retry(self, outbox: Outbox, entries: list[Entry], now: float) -> None:
        deadline = min(entry.deadline for entry in entries)
        at = self._backoff.retry_at(max(entry.attempts for entry in entries), now, deadline)
        outbox.backed_off += len(entries)
        heapq.heappush(self._retries, _Retry(at, next(self._ties), outbox, entries))

    def _give_up(self, entry: Entry) -> None:
        text = f"not acknowledged within {self.options.delivery_timeout:g} s, in {entry.attempts} attempts"
        error = DeliveryTimeoutError(text, attempts=entry.attempts, may_be_stored=entry.maybe_duplicate)
        self._fail(entry, error)

    def _fail(self, entry: Entry, error: TruckstreamError) -> None:
        if entry.maybe_duplicate and isinstance(error, ServiceError):
            text = f"refused after an attempt whose outcome is not known: {error}"
            cause, error = error, DeliveryError(text, attempts=entry.attempts, may_be_stored=True)
            error.__cause__ = cause
        entry.error = error
        self._counters.failed += 1
        self._settle(entry)

    def _settle(self, entry: Entry) -> None:
        self.used_bytes -= entry.cost
        self._counters.maybe_duplicates += entry.maybe_duplicate
        self._unsettled_by_epoch[entry.epoch] -= 1
        self._settled.append(entry)

    # --- Shards -----------------------------------------------------------------------------------

    def shards_wanted(self, now: float) -> bool:
        """Whether the stream's shards are to be listed now. Answer with `on_shards` or `on_shards_failure`."""
        if now < self._map_refresh_at():
            return False
        self._refresh.under_way = True
        return True

    def on_shards(self, shards: Iterable[Shard], now: float) -> None:
        """The stream's shards: new ones get an outbox, and what waits for those that are gone is routed again."""
        self._map = ShardMap(shards)
        known = [shard.shard_id for shard in self._map.shards]
        changed = set(known) != self._outboxes.keys()
        low, high = MAP_REFRESH_SECONDS
        self._refresh.delay = low if changed else min(high, self._refresh.delay * 2)
        self._schedule_refresh(now)
        self._refresh.wanted = False
        if not changed:
            return
        gone = [self._unrouted, *(box for shard_id, box in self._outboxes.items() if shard_id not in known)]
        self._outboxes = {
            shard_id: self._outboxes.get(shard_id) or Outbox(shard_id, ShardPace(now) if self.options.pacing else None)
            for shard_id in known
        }
        self._routes.clear()
        for outbox in gone:
            self._route_again([outbox.pop() for _ in range(len(outbox.queue))])
        self._quiet_until = -math.inf

    def on_shards_failure(self, now: float) -> None:
        """The shards could not be listed: the map stays as it is, and is asked for again later if still wanted."""
        self._refresh.delay = min(MAP_REFRESH_SECONDS[1], self._refresh.delay * 2)
        self._schedule_refresh(now)

    def _schedule_refresh(self, now: float) -> None:
        self._refresh.under_way = False
        self._refresh.not_before = now + self._refresh.delay

    def _map_refresh_at(self) -> float:
        due = self._refresh.wanted and not self._refresh.under_way
        return self._refresh.not_before if due else math.inf

    def _outbox_of(self, hash_key: int) -> Outbox:
        shard = self._map.shard_of(hash_key)
        return self._outboxes[shard.shard_id] if shard else self._unrouted

    def _all_outboxes(self) -> list[Outbox]:
        return [*self._outboxes.values(), self._unrouted]

    def _route_again(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            entry.outbox = self.route(entry.partition_key, entry.explicit_hash_key).outbox
            entry.outbox.append(entry)

    # --- Flushing and the end ---------------------------------------------------------------------

    def flush(self) -> int:
        """Send what was put so far without waiting for company. The epoch to ask `is_flushed` about."""
        self._flushed_epoch, self._epoch = self._epoch, self._epoch + 1
        self._quiet_until = -math.inf
        return self._flushed_epoch

    def is_flushed(self, epoch: int) -> bool:
        """Whether every record put up to `epoch` has its outcome."""
        for ended in [ended for ended, count in self._unsettled_by_epoch.items() if count == 0]:
            del self._unsettled_by_epoch[ended]
        return all(unsettled > epoch for unsettled in self._unsettled_by_epoch)

    def abort(self) -> None:
        """Give every record an outcome now: those under way are unknown, the rest are not sent (again)."""
        for request in list(self._in_flight):
            self._finish(request)
            for entry in request.entries:
                entry.maybe_duplicate = True
                text = "the producer was closed while a request with this record was under way"
                self._fail(entry, DeliveryUnknownError(text, attempts=entry.attempts, may_be_stored=True))
        waiting = [entry for outbox in self._all_outboxes() for entry in outbox.queue]
        waiting += [entry for retry in self._retries for entry in retry.entries]
        waiting += [entry for half in self._halves for entry in half]
        for outbox in self._all_outboxes():
            outbox.queue.clear()
            outbox.queued_bytes = outbox.backed_off = 0
        self._retries.clear()
        self._halves.clear()
        for entry in waiting:
            self._fail(entry, self._closed_before(entry))

    def _closed_before(self, entry: Entry) -> TruckstreamError:
        if entry.attempts == 0:
            return ProducerClosedError("the producer was closed before it sent this record")
        text = f"the producer was closed before attempt {entry.attempts + 1} at this record"
        return DeliveryError(text, attempts=entry.attempts, may_be_stored=entry.maybe_duplicate)

    # --- Watching ---------------------------------------------------------------------------------

    def stats(self, now: float) -> ProducerStats:
        outboxes = [box for box in self._all_outboxes() if box.shard_id is not None or box.queue or box.acked]
        counters = self._counters
        in_flight = sum(len(request.entries) for request in self._in_flight)
        return ProducerStats(
            buffered=counters.put - counters.acked - counters.failed - in_flight,
            buffered_bytes=self.used_bytes,
            in_flight=in_flight,
            requests_in_flight=len(self._in_flight),
            put=counters.put,
            acked=counters.acked,
            acked_bytes=counters.acked_bytes,
            failed=counters.failed,
            maybe_duplicates=counters.maybe_duplicates,
            sent=counters.sent,
            retried=counters.retried,
            throttled=counters.throttled,
            requests=counters.requests,
            shards={
                outbox.shard_id: ShardStats(
                    buffered=len(outbox.queue) + outbox.backed_off,
                    in_flight=outbox.in_flight,
                    acked=outbox.acked,
                    throttled=outbox.throttled,
                    records_per_second=outbox.pace.rate_at(now) if outbox.pace else None,
                )
                for outbox in outboxes
            },
        )
