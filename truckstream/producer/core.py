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

import itertools
import math
from collections import Counter, deque
from dataclasses import asdict
from operator import attrgetter
from typing import TYPE_CHECKING, Final, cast

from truckstream.errors import RecordTooLargeError
from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.kinesis.limits import DEFAULT_MAX_RECORD_BYTES
from truckstream.producer.outcomes import delivery_errors as fates
from truckstream.producer.outcomes.flush_epochs import Epochs
from truckstream.producer.pacing.backoff import Backoff, Retries
from truckstream.producer.pacing.concurrency import Concurrency
from truckstream.producer.pacing.map_refresh import MapRefresh
from truckstream.producer.queueing.bundle import Bundle
from truckstream.producer.queueing.outbox import Outbox, Parcel, entries_of
from truckstream.producer.queueing.queued_record import ENTRY_OVERHEAD_BYTES, cost_of, largest_size
from truckstream.producer.queueing.queues import LANE_BYTES
from truckstream.producer.queueing.request import Request
from truckstream.producer.queueing.router import Route, Router
from truckstream.producer.stats import Counters, ProducerStats
from truckstream.producer.watching.journal import NO_JOURNAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from random import Random

    from truckstream.errors import TruckstreamError
    from truckstream.kinesis.responses import RecordResponse, StreamSummary
    from truckstream.kinesis.shard_map import Shard
    from truckstream.producer.options import ProducerOptions
    from truckstream.producer.queueing.queued_record import Entry
    from truckstream.producer.watching.journal import Journal

__all__ = ["ProducerCore"]

_error_code: Callable[[RecordResponse], str | None] = attrgetter("error_code")
_shard_id: Callable[[RecordResponse], str | None] = attrgetter("shard_id")
_shard_of: Callable[[Parcel], str | None] = attrgetter("outbox.shard_id")
_epoch: Callable[[Entry], int] = attrgetter("epoch")
_maybe_duplicate: Callable[[Entry], bool] = attrgetter("maybe_duplicate")
_outbox: Callable[[Entry], Outbox] = attrgetter("outbox")
_size: Callable[[Parcel], int] = attrgetter("size")

THROTTLED_CODE: Final = "ProvisionedThroughputExceededException"

#: A request's body is a copy of its records, which the budget does not count. So none begins while those under way
#: have more than this part of it; a single one may.
BODIES_SHARE: Final = 0.1

#: Whole requests that fail so are a reason to send fewer of them.
TROUBLE: Final = {
    FailureKind.THROTTLED,
    FailureKind.AMBIGUOUS,
    FailureKind.NOT_SENT,
    FailureKind.CREDENTIALS,
    FailureKind.CLOCK_SKEW,
}


class ProducerCore:
    """Decides what is sent when, and what becomes of each record."""

    def __init__(
        self, options: ProducerOptions, random: Random, journal: Journal = NO_JOURNAL, home: object = None
    ) -> None:
        self.options = options
        # What each put asks, at hand.
        self._buffer_bytes = options.buffer_bytes
        self._aggregates = options.aggregate
        #: Notes what happens, if somebody watches.
        self.journal = journal
        #: The stream's largest record.
        self.max_record_bytes = DEFAULT_MAX_RECORD_BYTES
        #: Of the budget, by records. The keys whose order is kept take of it, too: see `free_bytes`.
        self.used_bytes = 0
        self._backoff = Backoff(random)
        self._concurrency = Concurrency(options.max_in_flight, self._backoff)
        self._refresh = MapRefresh()
        self._epochs = Epochs()
        self._counters = Counters()
        # Where records are.
        self._router = Router(options, home)
        self.routes = self._router.routes
        self._lanes = self._router.lanes
        self._retries = Retries()
        self._halves: deque[list[Parcel]] = deque()
        self._in_flight: set[Request] = set()
        self._in_flight_bytes = 0
        self._settled: list[Entry] = []
        # Before this time nothing is due, unless a put brings it forward: after this many bytes of the budget at the
        # earliest, the next request may be full. Both guard `requests_due`.
        self._quiet_until = -math.inf
        self._until_full = 0
        self._turn = 0

    # --- Records come in --------------------------------------------------------------------------

    def route(self, partition_key: str, explicit_hash_key: str | None) -> Route:
        """What the keys of a record say of it.

        Raises:
            InvalidArgumentError: one of the keys breaks the service's rules.
        """
        return self._router.route(partition_key, explicit_hash_key)

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

    def reserve(self, size: int) -> bool:
        """Take what a record of `size` bytes costs off the budget, if it is free."""
        used = self.used_bytes + size + ENTRY_OVERHEAD_BYTES
        if used > self._buffer_bytes or (self._lanes and used + len(self._lanes) * LANE_BYTES > self._buffer_bytes):
            return False
        self.used_bytes = used
        return True

    def release(self, size: int) -> None:
        """Give back what `reserve` took for a record that was not put after all."""
        self.used_bytes -= cost_of(size)

    @property
    def free_bytes(self) -> int:
        """What is not taken, by records or by the keys whose order is kept."""
        return self.options.buffer_bytes - self.used_bytes - len(self._lanes) * LANE_BYTES

    def put(self, entry: Entry, now: float) -> None:
        """Accept `entry`, whose room is reserved.

        With `reserve` 0.33 µs of each put (Python 3.11), a tenth of all that a record costs.
        """
        outbox = entry.outbox
        if outbox.is_closed:
            outbox = self._router.reroute(entry)  # resharded while it waited for room
        epochs = self._epochs
        epochs.unsettled += 1
        entry.epoch = epochs.current
        entry.put_at = now
        queue = outbox.queue
        queue.append(entry)
        # Only two puts can make a request due earlier: the first of a queue, and the one that fills a request.
        if queue.count == 1:
            self._quiet_until = min(self._quiet_until, now + self.options.linger)
        self._until_full -= entry.size + ENTRY_OVERHEAD_BYTES
        if self._until_full <= 0:
            self._quiet_until = -math.inf

    # --- Requests go out --------------------------------------------------------------------------

    def requests_due(self, now: float) -> list[Request]:
        """The requests to send now. Each must be answered by `on_answers` or `on_failure`."""
        if now < self._quiet_until:
            return []
        self._return_retries(now)
        self._sift_halves(now)
        self._expire(now)
        requests: list[Request] = []
        while self._opens_at(now) <= now:
            parcels = self._halves.popleft() if self._halves else self._pack(now)
            if not parcels:
                break
            requests.append(self._send(parcels, now))
        self._quiet_until = self._next_due(now)
        return requests

    def next_wakeup(self, now: float) -> float | None:
        """When `requests_due`, just asked, may have more; None if only an answer or a put can bring it."""
        at = min(self._quiet_until, self._refresh.due_at())
        return None if at == math.inf else max(at, now)

    def _opens_at(self, now: float) -> float:
        """When another request may go; infinity if only an answer can tell."""
        if self._in_flight_bytes > self.options.buffer_bytes * BODIES_SHARE:
            return math.inf
        return self._concurrency.opens_at(len(self._in_flight), now)

    def _pack(self, now: float) -> list[Parcel]:
        """Parcels for one request, if one is due: from each outbox in turn what its pace allows."""
        outboxes = self._router.outboxes
        if not self._is_due(outboxes, now):
            return []
        parcels: list[Parcel] = []
        bytes_left = self.options.max_batch_bytes
        self._turn = (self._turn + 1) % len(outboxes)  # a full request must not always favour the same shards
        for outbox in outboxes[self._turn :] + outboxes[: self._turn]:
            records_left = self.options.max_batch_records - len(parcels)
            taken = outbox.take(records_left, bytes_left, self.max_record_bytes, now)
            bytes_left -= sum(map(_size, taken))
            parcels += taken
        return parcels

    def _is_due(self, outboxes: Sequence[Outbox], now: float) -> bool:
        sendable = sum(outbox.sendable(now) for outbox in outboxes)
        most_bytes = max((box.ready_bytes for box in outboxes if box.pace is None), default=0)
        records_left = self.options.max_batch_records - sendable
        bytes_left = self.options.max_batch_bytes - most_bytes
        self._until_full = min(records_left * ENTRY_OVERHEAD_BYTES, bytes_left)
        return self._until_full <= 0 or any(box.due_at(now, self._epochs.flushed) <= now for box in outboxes)

    def _send(self, parcels: list[Parcel], now: float) -> Request:
        request = Request(parcels, now)
        repeated = 0
        for parcel in parcels:
            parcel.attempts = attempts = parcel.attempts + 1
            if parcel.members is not None:
                for entry in parcel.members:
                    entry.attempts += 1
            if attempts > 1:
                repeated += 1
        for outbox, count in request.by_outbox.items():
            outbox.in_flight += count
        self._counters.sent += len(parcels)
        self._counters.retried += repeated
        self._counters.requests += 1
        self._in_flight.add(request)
        self._in_flight_bytes += request.size
        request.was_last = self._concurrency.opens_at(len(self._in_flight), now) > now
        self.journal.sent(request, repeated, len(self._in_flight))
        return request

    def _return_retries(self, now: float) -> None:
        for outbox, parcels in self._retries.take_due(now):
            for parcel in parcels:
                if outbox.is_closed:
                    self._reroute(parcel)
                else:
                    outbox.return_parcel(parcel)

    def _reroute(self, parcel: Parcel) -> None:
        """Send what its shard did not take to the shards that are there now; a bundle never mixes them."""
        if not isinstance(parcel, Bundle):
            self._router.reroute(parcel).return_parcel(parcel)
            return
        by_outbox: dict[Outbox, list[Entry]] = {}
        for entry in parcel.members:
            by_outbox.setdefault(self._router.reroute(entry), []).append(entry)
        for outbox, entries in by_outbox.items():
            outbox.queue.put_back(entries)

    def _sift_halves(self, now: float) -> None:
        """Give up what is past its deadline, and open the bundles for shards that are gone."""
        halves, self._halves = self._halves, deque()
        for half in halves:
            kept: list[Parcel] = []
            for parcel in half:
                if parcel.outbox.is_closed and isinstance(parcel, Bundle):
                    self._reroute(parcel)
                elif parcel.put_at + self.options.delivery_timeout <= now:
                    self._give_up(parcel, now)
                else:
                    kept.append(parcel)
            if kept:
                self._halves.append(kept)

    def _expire(self, now: float) -> None:
        for outbox in self._router.outboxes:
            while expired := outbox.take_expired(now):  # a key's next record can be as old
                for parcel in expired:
                    self._give_up(parcel, now)

    def _give_up(self, parcel: Parcel, now: float) -> None:
        """The oldest record of `parcel` is past its deadline; the others of a bundle may not be."""
        late: list[Entry] = []
        others: list[Entry] = []
        for entry in entries_of(parcel):
            (late if entry.put_at + self.options.delivery_timeout <= now else others).append(entry)
        if others:
            parcel.outbox.queue.put_back(others)
        for entry in late:
            self._fail(entry, fates.timed_out(entry, self.options.delivery_timeout))

    def _next_due(self, now: float) -> float:
        at = self._retries.next_at
        opens_at = self._opens_at(now)
        if self._halves:
            at = min(at, opens_at)
        for outbox in self._router.outboxes:
            at = min(at, outbox.expires_at(), max(opens_at, outbox.due_at(now, self._epochs.flushed)))
        return at

    # --- Outcomes ---------------------------------------------------------------------------------

    def on_answers(self, request: Request, answers: Sequence[RecordResponse], now: float) -> None:
        """The service's answers to `request`, in the order of its entries."""
        if len(answers) != len(request.entries):
            text = f"{len(answers)} answers for {len(request.entries)} records"
            self.on_failure(request, RequestFailedError(FailureKind.AMBIGUOUS, "MalformedResponse", text), now)
            return
        refused = any(map(_error_code, answers))
        if not self._finish(request):
            return
        self._concurrency.on_answer(request.sent_at, now, was_last=request.was_last)
        if refused:
            self._on_mixed_answers(request, answers, now)
        else:
            self._acknowledge(request, request.entries, answers, now)

    def _on_mixed_answers(self, request: Request, answers: Sequence[RecordResponse], now: float) -> None:
        """Not all were stored."""
        stored: list[Parcel] = []
        theirs: list[RecordResponse] = []
        refused: dict[Outbox, list[Parcel]] = {}
        throttled: dict[Outbox, int] = {}
        for parcel, answer in zip(request.entries, answers, strict=True):
            if not answer.error_code:
                stored.append(parcel)
                theirs.append(answer)
                continue
            refused.setdefault(parcel.outbox, []).append(parcel)
            if answer.error_code == THROTTLED_CODE:
                throttled[parcel.outbox] = throttled.get(parcel.outbox, 0) + 1
            else:
                self._doubt(parcel)
        self._acknowledge(request, stored, theirs, now)
        self._slow_down(request, throttled, now)
        for outbox, parcels in refused.items():
            self._retry(outbox, parcels, now)
        self.journal.retried(refused, answers)

    def _doubt(self, parcel: Parcel) -> None:
        """Nothing says that it was not stored."""
        for entry in entries_of(parcel):
            entry.maybe_duplicate = True

    def on_failure(self, request: Request, failure: RequestFailedError, now: float) -> None:
        """`request` failed as a whole."""
        if not self._finish(request):
            return
        self.journal.request_failed(request, failure, now)
        if failure.kind in TROUBLE:
            self._concurrency.on_failure(request.sent_at, now)
        if failure.kind is FailureKind.PERMANENT or (failure.kind is FailureKind.POISONED and request.records == 1):
            for entry in itertools.chain.from_iterable(map(entries_of, request.entries)):
                self._fail(entry, fates.refused(entry, failure.to_service_error()))
            return
        by_outbox: dict[Outbox, list[Parcel]] = {}
        for parcel in request.entries:
            by_outbox.setdefault(parcel.outbox, []).append(parcel)
        if failure.kind is FailureKind.POISONED:
            self._divide(request.entries)
        else:
            self._repeat(request, by_outbox, failure.kind, now)
        self.journal.retried(by_outbox, failure)

    def _repeat(self, request: Request, by_outbox: dict[Outbox, list[Parcel]], kind: FailureKind, now: float) -> None:
        if kind is FailureKind.THROTTLED:
            self._slow_down(request, {outbox: len(parcels) for outbox, parcels in by_outbox.items()}, now)
        if kind is FailureKind.AMBIGUOUS:
            for parcel in request.entries:
                self._doubt(parcel)
        for outbox, parcels in by_outbox.items():
            self._retry(outbox, parcels, now)

    def take_settled(self) -> list[Entry]:
        """The entries that got their outcome since the last call."""
        settled, self._settled = self._settled, []
        return settled

    def _finish(self, request: Request) -> bool:
        """Take `request` off those under way; False if it was aborted meanwhile."""
        if request not in self._in_flight:
            return False
        self._in_flight.remove(request)
        self._in_flight_bytes -= request.size
        self._quiet_until = -math.inf
        for outbox, count in request.by_outbox.items():
            outbox.in_flight -= count
        return True

    def _acknowledge(
        self, request: Request, parcels: Sequence[Parcel], answers: Sequence[RecordResponse], now: float
    ) -> None:
        """Account for stored records, many at a time: one by one this took 0.6 µs a record, so it takes 0.2."""
        if list(map(_shard_id, answers)) != list(map(_shard_of, parcels)):
            self._refresh.want()
        stored = self._answered(parcels, answers)
        by_outbox = request.by_outbox if len(stored) == request.records else Counter(map(_outbox, stored))
        size = sum(map(_size, stored))
        for outbox, count in by_outbox.items():
            outbox.acked += count
        self._counters.acked += len(stored)
        self._counters.acked_bytes += size
        doubtful = self._settle(stored, size)
        self.journal.acknowledged(request, stored, by_outbox, size, doubtful, now)

    def _answered(self, parcels: Sequence[Parcel], answers: Sequence[RecordResponse]) -> list[Entry]:
        """The records of `parcels`, each with its answer."""
        if not self._aggregates:
            entries = cast("list[Entry]", list(parcels))  # only aggregation makes bundles
            for entry, answer in zip(entries, answers, strict=True):
                entry.answer = answer
            return entries
        stored: list[Entry] = []
        for parcel, answer in zip(parcels, answers, strict=True):
            for entry in entries_of(parcel):
                entry.answer = answer
                stored.append(entry)
        return stored

    def _divide(self, parcels: list[Parcel]) -> None:
        """One of the records is malformed, and only that one shall fail."""
        if len(parcels) > 1:
            middle = len(parcels) // 2
            self._halves += (parcels[:middle], parcels[middle:])
            return
        for entry in entries_of(parcels[0]):
            entry.alone = True
        self._reroute(parcels[0])

    def _slow_down(self, request: Request, throttled: dict[Outbox, int], now: float) -> None:
        for outbox, count in throttled.items():
            outbox.throttled += count
            self._counters.throttled += count
            if outbox.pace:
                sent = sum(parcel.outbox is outbox for parcel in request.entries)
                outbox.pace.on_throttled(count / sent, request.sent_at, now)
        self.journal.throttled(throttled)

    def _retry(self, outbox: Outbox, parcels: list[Parcel], now: float) -> None:
        deadline = min(parcel.put_at for parcel in parcels) + self.options.delivery_timeout
        at = self._backoff.retry_at(max(parcel.attempts for parcel in parcels), now, deadline)
        self._retries.add(at, outbox, parcels)

    def _fail(self, entry: Entry, error: TruckstreamError) -> None:
        entry.error = error
        self.journal.failed(entry)
        self._counters.failed += 1
        self._settle([entry], entry.size)

    def _settle(self, entries: list[Entry], size: int) -> int:
        """Records of `size` bytes have their outcome; for how many of them the service may hold another copy."""
        self.used_bytes -= size + len(entries) * ENTRY_OVERHEAD_BYTES
        doubtful = sum(map(_maybe_duplicate, entries))
        self._counters.maybe_duplicates += doubtful
        for epoch, count in Counter(map(_epoch, entries)).items():
            self._epochs.settle(epoch, count)
        if self.options.ordered:
            for entry in entries:
                entry.outbox.queue.settled(entry)
        self._settled += entries
        return doubtful

    # --- Shards -----------------------------------------------------------------------------------

    def shards_wanted(self, now: float) -> bool:
        """Whether the stream's shards are to be listed now. Answer with `on_shards` or `on_shards_failure`."""
        return self._refresh.start(now)

    def on_summary(self, summary: StreamSummary) -> None:
        """What the service says of the stream as a whole; before its shards are told."""
        self.max_record_bytes = summary.max_record_bytes
        self._router.on_demand = summary.on_demand

    def on_shards(self, shards: Iterable[Shard], now: float) -> None:
        """The stream's shards: new ones get an outbox, and what waits for those that are gone is routed again."""
        before = self._router.shard_ids
        misplaced = self._router.set_shards(shards, now)
        self._refresh.done(now, changed=misplaced is not None)
        for parcel in misplaced or ():
            self._reroute(parcel)
        self.journal.shards_listed(before, self._router.shard_ids)
        self._quiet_until = -math.inf

    def on_shards_failure(self, now: float) -> None:
        """The shards could not be listed: the map stays as it is, and is asked for again later if still wanted."""
        self._refresh.failed(now)

    # --- Flushing and the end ---------------------------------------------------------------------

    def flush(self) -> int:
        """Send what was put so far without waiting for company. The epoch to ask `is_flushed` about."""
        self._quiet_until = -math.inf
        return self._epochs.end()

    def is_flushed(self, epoch: int) -> bool:
        """Whether every record put up to `epoch` has its outcome."""
        return self._epochs.is_flushed(epoch)

    def abort(self, *, forked: bool = False) -> None:
        """Give every record an outcome now: those under way are unknown, the rest are not sent (again).

        `forked` says that this is a copy of a producer, in another process: nothing is known of any of them.
        """
        under_way, not_sent = (fates.forked,) * 2 if forked else (fates.closed_under_way, fates.closed_waiting)
        for request in list(self._in_flight):
            self._finish(request)
            for parcel in request.entries:
                for entry in entries_of(parcel):
                    entry.maybe_duplicate = True
                    self._fail(entry, under_way(entry))
        waiting = [parcel for _, parcels in self._retries.take_due(math.inf) for parcel in parcels]
        waiting += [parcel for half in self._halves for parcel in half]
        self._halves.clear()
        for outbox in self._router.outboxes:
            waiting += [*outbox.take_returned(), *outbox.queue.clear()]
        for parcel in waiting:
            for entry in entries_of(parcel):
                self._fail(entry, not_sent(entry))

    # --- Watching ---------------------------------------------------------------------------------

    def stats(self, now: float) -> ProducerStats:
        outboxes = [
            box
            for box in self._router.outboxes
            if box.shard_id is not None or box.waiting or box.in_flight or box.acked
        ]
        counters = self._counters
        in_flight = sum(request.records for request in self._in_flight)
        return ProducerStats(
            buffered=self._epochs.pending - in_flight,
            buffered_bytes=self.used_bytes,
            in_flight=in_flight,
            requests_in_flight=len(self._in_flight),
            put=self._epochs.pending + counters.acked + counters.failed,
            shards={outbox.shard_id: outbox.stats(now) for outbox in outboxes},
            **asdict(counters),
        )
