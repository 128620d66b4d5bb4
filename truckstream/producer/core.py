"""The producer's decisions: it takes records and returns requests and outcomes, without socket, task, sleep or clock.

The shell calls `put`, `requests_due`, `on_responses`, `on_failure`, `on_shards`, `flush` and `abort` with the time in
seconds of any monotonic clock. It sends the requests that `requests_due` returns, wakes the callers that wait for the
records that `take_settled` returns, and calls again at `next_wakeup`.

Invariants:
- A record is in exactly one place: an outbox, a request in flight, a half of a rejected request, the retry queue, or a
  bundle whose shard is not proven. After a reshard that may be the outbox of a closed shard, until its records have
  been moved. Nothing is sent before.
- A record that is acknowledged is never sent again, and every reader gets it. So a stored record is sent again in one
  case only: in a bundle that the KCL discards (`routing/unproven_bundles.py`).
- When `abort` returns False, every record has its outcome. (`outcomes/settlement.py` has the invariants of outcomes.)
- No call does more than `RECORDS_PER_CALL` records' work, however many are buffered, and about as much again for a
  request. The rest is due at once: `next_wakeup` returns `now`, `abort` True, and `take_settled` more at the next call.
"""

from __future__ import annotations

import math
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final

from truckstream.envelope.zstd_module import load_zstd
from truckstream.errors import RecordTooLargeError
from truckstream.kinesis.failures import TRANSIENT, FailureKind, RequestFailedError
from truckstream.kinesis.limits import DEFAULT_MAX_RECORD_BYTES
from truckstream.producer.outcomes import delivery_errors
from truckstream.producer.outcomes.failure_history import note_failure
from truckstream.producer.outcomes.in_flight_deadlines import InFlightDeadlines
from truckstream.producer.outcomes.settlement import Settlement
from truckstream.producer.pacing.concurrency_limit import ConcurrencyLimit
from truckstream.producer.pacing.refresh_schedule import RefreshSchedule
from truckstream.producer.pacing.response_time import ResponseTime
from truckstream.producer.pacing.retry_backoff import RetryBackoff
from truckstream.producer.pacing.shard_pacer import ShardPacer
from truckstream.producer.queueing.arrivals import Arrivals
from truckstream.producer.queueing.buffer_budget import RECORD_OVERHEAD_BYTES, BufferBudget, cost_of, largest_size
from truckstream.producer.queueing.bundle import is_mixed
from truckstream.producer.queueing.outbox import (
    Failure,
    Outbox,
    count_records,
    mark_maybe_duplicate,
    records_of,
    unsettled_of,
)
from truckstream.producer.queueing.request import Request
from truckstream.producer.queueing.request_draft import RequestDraft
from truckstream.producer.queueing.retry_queue import RetryQueue
from truckstream.producer.routing.router import RoutedKey, RouteFields, Router
from truckstream.producer.routing.shard_tracker import ShardTracker
from truckstream.producer.snapshots import Snapshots
from truckstream.producer.stats import Counters
from truckstream.producer.watching.event_sink import EventSink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from random import Random

    from truckstream.errors import ServiceError, TruckstreamError
    from truckstream.kinesis.responses import RecordResponse, StreamSummary
    from truckstream.kinesis.shard_map import Shard
    from truckstream.producer.options import ProducerOptions
    from truckstream.producer.queueing.outbox import Parcel, QueuedRecord
    from truckstream.producer.queueing.shard_group import ShardGroup
    from truckstream.producer.stats import ProducerStats

__all__ = ["ProducerCore"]

THROTTLED_CODE: Final = "ProvisionedThroughputExceededException"

#: A request's body is a copy of its records, which the budget does not count. So no request is sent while those in
#: flight have more than this share of the budget; a single request may have more.
BODIES_SHARE: Final = 0.1

#: A wake-up at the time of `_send_by` must find that it is too late, in spite of rounding.
TOLERANCE: Final = 1e-6

#: The most records that expire, are given up, moved, proven, returned from their backoff or handed out in one call. At
#: 1 to 5 µs each (Python 3.11), a call takes 3 ms at most, and less than 20 ms on a machine that is slow or busy.
RECORDS_PER_CALL: Final = 500

#: After so many records a call packs no further request. All 110,000 records of a full buffer would fit into 10 MiB if
#: they are small, and everything that is done for a request is done in one call.
RECORDS_PACKED_PER_CALL: Final = 2_000

#: The same with `aggregate=True`, where a record takes longer, and the most records in one request.
RECORDS_BUNDLED_PER_CALL: Final = 1_000

#: The same with compression. A truck record takes 2 to 4 µs, of which one is for zstd, and so a request 3 to 6 ms
#: (Python 3.11). A shard takes up to 1,900 of them in a step of 0.1 s, and its next request waits for the response.
RECORDS_COMPRESSED_PER_CALL: Final = 1_500

#: Failures of whole requests that lower the concurrency limit.
TROUBLE: Final = {
    FailureKind.THROTTLED,
    FailureKind.AMBIGUOUS,
    FailureKind.NOT_SENT,
    FailureKind.CREDENTIALS,
    FailureKind.CLOCK_SKEW,
}


class ProducerCore:
    """Decides when each record is sent, and its outcome.

    Args:
        options: the producer's options.
        random: the source of the jitter.
        events: where to report what happens; by default nowhere.
    """

    def __init__(self, options: ProducerOptions, random: Random, events: EventSink | None = None) -> None:
        self.options = options
        self._events = events or EventSink()
        #: The stream's limit on a record's size, in bytes.
        self.max_record_bytes = DEFAULT_MAX_RECORD_BYTES
        self._router = Router(options)
        #: Records are put into the outboxes' own queues, and not into the fronts of groups.
        self.has_own_queues = self._router.has_own_queues
        #: The records that were put by the shell itself, in the way of `put`, and are not accounted for.
        self.arrivals = Arrivals()
        self.budget = BufferBudget(options.buffer_bytes, self._router.lanes)
        self._counters = Counters()
        self._settlement = Settlement(options, self.budget, self._counters, self._events)
        self._shards = ShardTracker(options, self._router, self._settlement, self._events)
        self._snapshots = Snapshots(
            self._router, self._shards.relocation, self._settlement, self._counters, self.budget, self.arrivals
        )
        #: The epochs of flushes.
        self.epochs = self._settlement.epochs
        self._deadlines = InFlightDeadlines(options.delivery_timeout, self._settlement)
        #: Why the latest request failed; None since the service has responded to one. Opening the producer sets it too.
        self.last_failure: ServiceError | None = None
        self._backoff = RetryBackoff(random, linger=options.linger)
        self._concurrency = ConcurrencyLimit(options.max_in_flight, self._backoff)
        self._response_time = ResponseTime(options.delivery_timeout, options.linger)
        self._summary_refresh = RefreshSchedule(random)
        # Where records are, beside the outboxes.
        self._retries = RetryQueue()
        self._halves: deque[list[Parcel]] = deque()
        self._in_flight: set[Request] = set()
        self._in_flight_bytes = 0
        # Nothing is due before this time. A put may bring it forward, at the earliest after so many more bytes of the
        # budget, when the next request may be full. Both spare `requests_due` its work.
        self._quiet_until = -math.inf
        self._packed_per_call = _packed_per_call(options)
        self._full_bytes = self._bytes_that_end_the_linger()
        self._until_full = self._full_bytes
        self._turn = 0
        self._settlement.on_lane_opened = self._on_lane_opened
        #: Outboxes whose pacers learn from every response.
        self._learning: set[Outbox] = set()
        if options.compression:
            load_zstd()  # takes 15 ms, which would block the loop at the first request

    # --- Records come in --------------------------------------------------------------------------

    @property
    def routing_table(self) -> Mapping[str, RouteFields]:
        """The outbox of each partition key; the same object as long as the core lives. Looking up a key routes it."""
        return self._router.table

    def route(self, partition_key: str, explicit_hash_key: str | None) -> RoutedKey:
        """Return the outbox of a record with these keys, and their size and encoding.

        Raises:
            InvalidArgumentError: one of the keys breaks the service's rules.
        """
        return self._router.route(partition_key, explicit_hash_key)

    def check_size(self, size: int, overhead: int = RECORD_OVERHEAD_BYTES) -> None:
        """Check that a record of `size` bytes, with this overhead in the buffer, can be sent at all.

        Raises:
            RecordTooLargeError: `size` is over the stream's limit or a request's, or takes more than the buffer.
        """
        if size > self.max_record_bytes:
            self._summary_refresh.request()  # the limit may have been raised
            raise RecordTooLargeError(size, self.max_record_bytes, "the stream's limit")
        if size > self.options.max_batch_bytes:
            raise RecordTooLargeError(size, self.options.max_batch_bytes, "the limit of a request")
        if cost_of(size, overhead) > self.options.buffer_bytes:
            raise RecordTooLargeError(size, largest_size(self.options.buffer_bytes, overhead), "the buffer's room")

    def put(self, record: QueuedRecord, now: float) -> None:
        """Accept `record`, for which room is reserved in the budget."""
        if record.outbox.is_closed:
            self._router.reroute(record)  # the stream was resharded while the record waited for room
        record.epoch = self.epochs.current
        record.put_at = now
        outbox = record.outbox
        outbox.entry.append(record)
        if self.has_own_queues and outbox.queue.count == 1:
            outbox.group.add(outbox)
        self._account_for(1, record.cost, now)

    def _account_for_arrivals(self) -> None:
        arrivals = self.arrivals
        if arrivals.records:
            self._account_for(arrivals.records, arrivals.cost, arrivals.put_at)
            arrivals.records = arrivals.cost = 0

    def _account_for(self, records: int, cost: int, put_at: float) -> None:
        self.epochs.unsettled += records
        # Two puts can make a request due earlier: the first of a queue, and the one that fills a request.
        self._quiet_until = min(self._quiet_until, put_at + self.options.linger)
        self._until_full -= cost
        if self._until_full <= 0:
            self._quiet_until = -math.inf

    # --- Requests go out --------------------------------------------------------------------------

    def requests_due(self, now: float) -> list[Request]:
        """Return the requests to send now. For each one `on_responses` or `on_failure` must follow."""
        if self.arrivals.records:
            self._account_for_arrivals()
        if now < self._quiet_until:
            return []
        if not self._catch_up(now):
            return []  # and the rest is due at once, because `_quiet_until` is in the past
        requests: list[Request] = []
        left = self._packed_per_call
        while self._opens_at(now) <= now and left > 0:
            draft = RequestDraft(self.options, self.max_record_bytes, self._packed_per_call, most_held=left)
            request = self._send(self._halves.popleft(), now) if self._halves else self._pack(draft, now)
            if not request:
                break
            requests.append(request)
            left -= request.records + draft.held
        self._quiet_until = self._next_due(now)
        return requests

    def next_wakeup(self, now: float) -> float | None:
        """Return when to call `requests_due` again, after it was called. None: only a put or a response can matter."""
        self._account_for_arrivals()
        at = min(self._quiet_until, self._shards.refresh.due_at(), self._summary_refresh.due_at())
        return None if at == math.inf else max(at, now)

    def _catch_up(self, now: float) -> bool:
        """Do what must come before sending, for a limited number of records. Return whether nothing of it is left."""
        left = self._expire_in_flight(now, RECORDS_PER_CALL)
        left = self._shards.step(now, left)
        if left > 0:
            left = self._return_retries(now, left)
        if left > 0:
            self._check_halves(now)
            left = self._shards.move(left)  # the parcels that have just come back to closed outboxes
        if left > 0:
            left = self._expire(now, left)
        for group in self._router.groups:
            left = group.sort(now, self.epochs.flushed, left)
        return left > 0

    def _opens_at(self, now: float) -> float:
        """Return when another request may be sent; infinity if one in flight must end first."""
        if self._in_flight_bytes > self.options.buffer_bytes * BODIES_SHARE:
            return math.inf
        return self._concurrency.opens_at(len(self._in_flight), now)

    def _pack(self, draft: RequestDraft, now: float) -> Request | None:
        """Return a request with the records that are due. Others go along, as far as there is room."""
        flushed, groups = self.epochs.flushed, self._router.groups
        self._find_full(groups, now)
        in_turn = groups[self._turn :] + groups[: self._turn]
        due = [group for group in in_turn if group.due_at(flushed) <= now]
        if not due:
            return None
        # A full request has the records of one group. The next begins with the group behind it, not one that is idle:
        # otherwise a busy group behind many idle ones would have nearly all turns, and the next one hardly any.
        self._turn = groups.index(due[0]) + 1
        exclusive = [group for group in due if group.fill(draft, now, flushed)]
        if not draft.parcels:
            return None
        others = (group for group in in_turn if draft.has_room and group not in due)
        exclusive += (group for group in others if group.fill(draft, now, flushed))
        return self._send(draft.parcels, now, exclusive, draft.size)

    def _find_full(self, groups: Sequence[ShardGroup], now: float) -> None:
        """Find out after how many more bytes of the budget a request may be full, and end the linger if it is."""
        if not self.has_own_queues:
            rooms = [group.room_in_front() for group in groups]
            self._until_full = min(min(records * RECORD_OVERHEAD_BYTES, size) for records, size in rooms)
            return
        if self._until_full <= 0:
            left = RECORDS_PER_CALL
            for group in groups:
                group.hurry()
                left = group.sort(now, self.epochs.flushed, left)
        if not any(group.has_lingering for group in groups):
            self._until_full = self._full_bytes

    def _bytes_that_end_the_linger(self) -> int:
        """Return with how many new bytes of the budget a request may be full; with compression, one for each shard.

        Fewer would make envelopes of a few records where there are many shards. And a buffer that is full would make
        puts wait for the end of the linger.
        """
        options = self.options
        if not options.compression:
            return min(options.max_batch_records * RECORD_OVERHEAD_BYTES, options.max_batch_bytes)
        requests = max(1, len(self._router.shard_ids))
        return min(requests * self._packed_per_call * RECORD_OVERHEAD_BYTES, options.buffer_bytes // 4)

    def _send(
        self, parcels: list[Parcel], now: float, groups: Sequence[ShardGroup] = (), size: int | None = None
    ) -> Request:
        request = Request(parcels, now, self.options.delivery_timeout, groups, size)
        for group in groups:
            group.on_sent(request, now)
        repeated = self._count_attempt(parcels)
        self._counters.sent += len(parcels)
        request.repeated = repeated
        self._counters.retried += repeated
        self._counters.requests += 1
        self._in_flight.add(request)
        self._in_flight_bytes += request.size
        request.fills_limit = self._concurrency.opens_at(len(self._in_flight), now) > now
        self._events.sent(request, repeated, len(self._in_flight))
        return request

    def _count_attempt(self, parcels: Sequence[Parcel]) -> int:
        """Count an attempt at each of `parcels`, and return how many were sent before."""
        before = [parcel.attempts for parcel in parcels]
        if not self.options.aggregate and not any(before):
            for parcel in parcels:
                parcel.attempts = 1
            return 0
        repeated = len(before) - before.count(0)
        for parcel in parcels:
            parcel.attempts += 1
            if parcel.members is not None:
                for record in parcel.members:
                    record.attempts += 1
                if parcel.held_bytes:
                    self.budget.charge(parcel.held_bytes, parcel.members)
        return repeated

    def _return_retries(self, now: float, limit: int) -> int:
        """Return parcels whose backoff is over to their outboxes. Return how much of the limit is left."""
        for outbox, parcels in self._retries.take_due(now):
            self._shards.return_parcels(outbox, parcels)
            limit -= len(parcels)
            if limit <= 0:
                break
        return limit

    def _check_halves(self, now: float) -> None:
        """Give up the parcels of halves that are past their deadline, and take misplaced bundles apart."""
        halves, self._halves = self._halves, deque()
        misplaced: dict[Outbox, list[Parcel]] = {}
        for half in halves:
            kept: list[Parcel] = []
            for parcel in half:
                if parcel.members is not None and _is_misplaced(parcel):
                    misplaced.setdefault(parcel.outbox, []).append(parcel)
                elif parcel.put_at + self.options.delivery_timeout <= self._response_at(now):
                    self._give_up([parcel], now)
                else:
                    kept.append(parcel)
            if kept:
                self._halves.append(kept)
        for outbox, parcels in misplaced.items():
            self._shards.return_parcels(outbox, parcels)

    def _expire_in_flight(self, now: float, limit: int) -> int:
        for request in list(self._in_flight):
            if limit > 0 and request.wakeup_at <= now:
                limit -= request.records
                if failure := self._deadlines.expire(request, now):
                    self.on_failure(request, failure, now)
        return limit

    def _expire(self, now: float, limit: int) -> int:
        for expired in self._take_expired(self._response_at(now), limit):
            limit -= sum(map(count_records, expired))
            self._give_up(expired, now)
        return limit

    def _take_expired(self, response_at: float, limit: int) -> Iterator[list[Parcel]]:
        """Remove parcels whose deadline is before `response_at`, until they have `limit` records.

        They must be settled before the next ones are taken: a key's next record may be as old.
        """
        for group in self._router.groups:
            for expired in group.take_expired(response_at, limit):
                limit -= sum(map(count_records, expired))
                yield expired
            if limit <= 0:
                return

    def _give_up(self, parcels: Iterable[Parcel], now: float) -> None:
        """Fail the records of `parcels` for which it is too late: each one's oldest is such. The others are kept."""
        response_at = self._response_at(now)
        late: list[QueuedRecord] = []
        for parcel in parcels:
            others: list[QueuedRecord] = []
            for record in unsettled_of(parcel):
                (late if record.put_at + self.options.delivery_timeout <= response_at else others).append(record)
            if others:
                parcel.outbox.put_back(others)
        timeout, cause = self.options.delivery_timeout, self.last_failure
        make_error = partial(delivery_errors.timed_out, delivery_timeout=timeout, last_failure=cause)
        self._settlement.fail(late, Failure(make_error))

    def _next_due(self, now: float) -> float:
        wakeups = (request.wakeup_at for request in self._in_flight)
        at = min([self._retries.next_at, self._shards.next_at, *wakeups])
        opens_at = self._opens_at(now)
        for half in self._halves:
            at = min(at, opens_at, *map(self._send_by, half))
        for group in self._router.groups:
            at = min(at, group.expires_at() - self._response_time.allowance)
            if opens_at < at:
                at = min(at, max(opens_at, group.due_at(self.epochs.flushed)))
        return at

    def _response_at(self, now: float) -> float:
        """Return when the response to a request may come that is sent now. A deadline before that is too soon."""
        return now + self._response_time.allowance + TOLERANCE

    def _send_by(self, parcel: Parcel) -> float:
        """Return when `parcel` must be sent at the latest, so that the response can come before its deadline."""
        return parcel.put_at + self.options.delivery_timeout - self._response_time.allowance

    # --- Responses and failures -------------------------------------------------------------------

    def on_responses(self, request: Request, responses: Sequence[RecordResponse], now: float) -> None:
        """Handle the service's responses to the parcels of `request`, in their order."""
        if len(responses) != len(request.parcels):
            text = f"{len(responses)} responses for {len(request.parcels)} records"
            self.on_failure(request, RequestFailedError(FailureKind.AMBIGUOUS, "MalformedResponse", text), now)
            return
        error_codes = [response.error_code for response in responses]
        if not self._finish(request):
            return
        self.last_failure = None
        self._response_time.on_response(now - request.sent_at)
        parcels: Sequence[Parcel] = request.parcels
        if request.has_expired_records:
            waited_for = [pair for pair in zip(parcels, responses, strict=True) if unsettled_of(pair[0])]
            parcels, responses = [pair[0] for pair in waited_for], [pair[1] for pair in waited_for]
        if any(error_codes):
            self._on_mixed_responses(request, parcels, responses, now)
        else:
            self._concurrency.on_response(request.sent_at, now, fills_limit=request.fills_limit)
            self._pace(request, {}, now)
            self._acknowledge(request, parcels, responses, now)

    def _on_mixed_responses(
        self, request: Request, sent: Sequence[Parcel], responses: Sequence[RecordResponse], now: float
    ) -> None:
        """Acknowledge those of the parcels `sent` that were stored, and retry the others."""
        stored: list[Parcel] = []
        stored_responses: list[RecordResponse] = []
        throttled: dict[Outbox, list[Parcel]] = {}
        failed_inside: dict[Outbox, list[Parcel]] = {}
        causes: dict[tuple[str, str], list[QueuedRecord]] = {}
        for parcel, response in zip(sent, responses, strict=True):
            if not response.error_code:
                stored.append(parcel)
                stored_responses.append(response)
                continue
            cause = (response.error_code, response.error_message or "")
            causes.setdefault(cause, []).extend(unsettled_of(parcel))
            if response.error_code == THROTTLED_CODE:
                throttled.setdefault(parcel.outbox, []).append(parcel)
            else:
                failed_inside.setdefault(parcel.outbox, []).append(parcel)
                mark_maybe_duplicate(parcel)
        for (code, message), records in causes.items():
            kind = FailureKind.THROTTLED if code == THROTTLED_CODE else FailureKind.AMBIGUOUS
            note_failure(records, kind, code, message)
        if stored or throttled:
            self._concurrency.on_response(request.sent_at, now, fills_limit=request.fills_limit)
        else:
            self._concurrency.on_failure(request.sent_at, now)
        self._acknowledge(request, stored, stored_responses, now)
        self._pace(request, {outbox: len(parcels) for outbox, parcels in throttled.items()}, now)
        outboxes = {**throttled, **failed_inside}
        failed = {box: throttled.get(box, []) + failed_inside.get(box, []) for box in outboxes}
        delay = self._delay_of(failed)
        for by_outbox, budgeted in ((throttled, False), (failed_inside, True)):
            for outbox, parcels in by_outbox.items():
                self._retry(outbox, self._to_send_again(request, parcels), delay, now, budgeted=budgeted)
        self._events.retried(failed, responses)

    def on_failure(self, request: Request, failure: RequestFailedError, now: float) -> None:
        """Handle the failure of `request` as a whole."""
        if not self._finish(request):
            return
        self.last_failure = failure.to_service_error()
        records = [record for parcel in request.parcels for record in unsettled_of(parcel)]
        note_failure(records, failure.kind, failure.code, failure.message)
        self._events.request_failed(request, failure, now)
        if now >= request.deadline:  # its records had too little time, which need not mean trouble at the service
            self._response_time.on_cut_off(now - request.sent_at)
        elif failure.kind in TROUBLE:
            self._concurrency.on_failure(request.sent_at, now)
        is_alone = request.records == 1 and not request.has_expired_records
        if failure.kind is FailureKind.PERMANENT or (failure.kind is FailureKind.POISONED and is_alone):
            self._fail(request.parcels, partial(delivery_errors.rejected, code=failure.code, message=failure.message))
            self._return_to_pacers(request, now)
            return
        parcels = self._to_send_again(request, request.parcels)
        by_outbox: dict[Outbox, list[Parcel]] = {}
        for parcel in parcels:
            by_outbox.setdefault(parcel.outbox, []).append(parcel)
        if failure.kind is FailureKind.POISONED:
            self._split(parcels)
        else:
            self._retry_all(request, by_outbox, failure.kind, now)
        self._events.retried(by_outbox, failure)

    def _return_to_pacers(self, request: Request, now: float) -> None:
        """Return what the pacers were charged for a request that was rejected: no shard has seen it.

        Otherwise a lost permission would reach the callers of 5,000 buffered records over 4.5 s, at a shard's pace.
        """
        sizes: dict[Outbox, list[int]] = {}
        for parcel in request.parcels:
            sizes.setdefault(parcel.outbox, []).append(parcel.size)
        for outbox, charged in sizes.items():
            if outbox.pacer:
                outbox.pacer.take(-len(charged), -sum(charged), now)
                outbox.group.add(outbox)

    def take_settled(self) -> list[QueuedRecord]:
        """Return records that got their outcome since the last call: all of them, or `RECORDS_PER_CALL` of many."""
        return self._settlement.take(RECORDS_PER_CALL)

    @property
    def has_settled(self) -> bool:
        """Whether `take_settled` has more records to return."""
        return self._settlement.has_settled

    def _fail(self, parcels: Iterable[Parcel], make_error: Callable[[QueuedRecord], TruckstreamError]) -> int:
        """Give up the records of `parcels`, and return their number."""
        records = [record for parcel in parcels for record in unsettled_of(parcel)]
        self._settlement.fail(records, Failure(make_error))
        return len(records)

    def _finish(self, request: Request) -> bool:
        """Remove `request` from those in flight. Return False if it was aborted meanwhile."""
        if request not in self._in_flight:
            return False
        self._in_flight.remove(request)
        self._in_flight_bytes -= request.size
        self._quiet_until = -math.inf
        for group in request.groups:
            group.on_ended(request)
        self._deadlines.on_end(request)
        return True

    def _acknowledge(
        self, request: Request, parcels: Sequence[Parcel], responses: Sequence[RecordResponse], now: float
    ) -> None:
        parcels, responses = self._shards.on_stored(request, parcels, responses, now)
        self._retries.budget.earn(len(parcels))
        whole = request if parcels is request.parcels else None
        self._settlement.acknowledge(parcels, responses, request.sent_at, now, whole=whole)

    def _retry_all(
        self, request: Request, by_outbox: dict[Outbox, list[Parcel]], kind: FailureKind, now: float
    ) -> None:
        if kind is FailureKind.THROTTLED:
            self._pace(request, request.parcels_by_outbox(), now)
        if kind is FailureKind.AMBIGUOUS:
            for parcel in request.parcels:
                mark_maybe_duplicate(parcel)
        delay = self._delay_of(by_outbox)
        for outbox, parcels in by_outbox.items():
            self._retry(outbox, parcels, delay, now)

    def _to_send_again(self, request: Request, parcels: list[Parcel]) -> list[Parcel]:
        """Return those of the request's `parcels` without expired records, and queue the rest of a bundle with some."""
        if not request.has_expired_records:
            return parcels
        whole: list[Parcel] = []
        for parcel in parcels:
            records = unsettled_of(parcel)
            if len(records) == count_records(parcel):
                whole.append(parcel)
            elif records:
                self._router.requeue([parcel])
        return whole

    def _split(self, parcels: list[Parcel]) -> None:
        """Send `parcels` again in halves, until the one malformed record is alone: only that one shall fail."""
        if len(parcels) > 1:
            middle = len(parcels) // 2
            self._halves += (parcels[:middle], parcels[middle:])
            return
        for parcel in parcels:
            for record in records_of(parcel):
                record.goes_alone = True
        self._router.requeue(parcels)

    def _pace(self, request: Request, throttled: Mapping[Outbox, int], now: float) -> None:
        """Tell each shard's pacer how many of the request's parcels the shard throttled."""
        if throttled or self._learning:
            for outbox, sent in request.parcels_by_outbox().items():
                if outbox.pacer and (outbox in throttled or outbox in self._learning):
                    self._learn(outbox, sent, throttled.get(outbox, 0), request.sent_at, now)
        for outbox, count in throttled.items():
            outbox.throttled += count
            self._counters.throttled += count
        if throttled:
            self._events.throttled(throttled)

    def _learn(self, outbox: Outbox, sent: int, refused: int, sent_at: float, now: float) -> None:
        assert outbox.pacer  # noqa: S101 - the caller has looked
        outbox.return_credit(now)
        outbox.pacer.on_response(sent, refused, sent_at, now)
        if outbox.pacer.needs_responses and not outbox.is_closed:
            self._learning.add(outbox)
        else:
            self._learning.discard(outbox)
        outbox.group.add(outbox)

    def _delay_of(self, failed: Mapping[Outbox, Sequence[Parcel]]) -> float:
        """Draw one delay for all parcels of a response, so that they go together again."""
        attempts = max((parcel.attempts for parcels in failed.values() for parcel in parcels), default=1)
        return self._backoff.delay(attempts)

    def _retry(
        self, outbox: Outbox, parcels: list[Parcel], delay: float, now: float, *, budgeted: bool = False
    ) -> None:
        """Send `parcels` again after about `delay`; `budgeted` if the service failed each one by itself."""
        by_time: dict[float, list[Parcel]] = {}
        for parcel in parcels:
            at = self._backoff.retry_together_at(delay, now, self._send_by(parcel))
            by_time.setdefault(at, []).append(parcel)
        for at, together in by_time.items():
            until = min(map(self._send_by, together)) if budgeted else None
            self._retries.add(at, outbox, together, budgeted_until=until)

    def _on_lane_opened(self, record: QueuedRecord) -> None:
        """The next record of this one's key may go; it may have been moved since to another shard."""
        outbox = record.outbox
        if outbox.is_closed:
            outbox = self._router.route(record.partition_key, record.explicit_hash_key).outbox
        if outbox.queue.count:
            outbox.group.add(outbox)

    # --- Shards -----------------------------------------------------------------------------------

    def start_listing(self, now: float) -> bool:
        """Return whether to list the stream's shards now. If so, `on_shards` or `on_shards_failure` must follow."""
        return self._shards.refresh.start(now)

    def start_summary(self, now: float) -> bool:
        """Return whether to read the stream's summary now. If so, `on_summary` or `on_summary_failure` must follow."""
        return self._summary_refresh.start(now)

    def on_summary(self, summary: StreamSummary, now: float = 0.0) -> None:
        """Adopt the stream's own limits."""
        self._summary_refresh.done(now, changed=summary.max_record_bytes != self.max_record_bytes)
        self.max_record_bytes = summary.max_record_bytes
        if summary.on_demand != self._router.on_demand:
            self._router.on_demand = summary.on_demand
            for outbox in self._router.outboxes:
                if outbox.pacer and outbox.shard_id is not None:
                    outbox.return_credit(now)
                    outbox.pacer = ShardPacer(now, learns=summary.on_demand)

    def on_summary_failure(self, failure: RequestFailedError, now: float) -> None:
        """Keep the limits, because the summary could not be read, and read it again later if that may help."""
        if failure.kind in TRANSIENT:
            self._summary_refresh.request()
            self._summary_refresh.failed(now)
        else:
            self._summary_refresh.done(now, changed=False)

    def on_shards(self, shards: Iterable[Shard], now: float) -> None:
        """Adopt the stream's shards: new ones get an outbox, and records that wait for closed ones are routed again."""
        self._account_for_arrivals()
        self._shards.on_shards(shards, now, RECORDS_PER_CALL)
        self._settlement.forget_closed()
        self._full_bytes = self._bytes_that_end_the_linger()
        self._learning = {outbox for outbox in self._learning if not outbox.is_closed}
        self._quiet_until = -math.inf

    def on_shards_failure(self, now: float) -> None:
        """Keep the shard map, because the shards could not be listed, and list them again later if still wanted."""
        self._shards.refresh.failed(now)

    # --- Flushing and the end ---------------------------------------------------------------------

    def flush(self) -> int:
        """Let the records put so far not linger. Return their epoch, to pass to `is_flushed`."""
        self._account_for_arrivals()
        self._quiet_until = -math.inf
        for group in self._router.groups:
            group.hurry()
        return self.epochs.end()

    def is_flushed(self, epoch: int) -> bool:
        """Return whether every record put up to `epoch` has its outcome."""
        return self.epochs.is_flushed(epoch)

    def abort(self, *, forked: bool = False) -> bool:
        """Give records an outcome now: those in flight are unknown, the others are not sent (again).

        Return True if records got one: call this again until it returns False. `requests_due` must not be called any
        more. A request of which nothing was sent yet is withdrawn.

        `forked`: this is a copy of a producer in another process, so nothing is known of any record.
        """
        self._account_for_arrivals()
        left = RECORDS_PER_CALL
        while left > 0 and self._in_flight:
            request = next(iter(self._in_flight))
            self._finish(request)
            is_withdrawn = not forked and request.attempt.withdraw()
            for parcel in request.parcels:
                if not is_withdrawn:
                    mark_maybe_duplicate(parcel)
            error = delivery_errors.withdrawn if is_withdrawn else delivery_errors.closed_in_flight
            left -= self._fail(request.parcels, delivery_errors.forked if forked else error)
        for parcels in self._take_waiting(left):
            left -= self._fail(parcels, delivery_errors.forked if forked else delivery_errors.closed_before_sending)
        return left < RECORDS_PER_CALL

    def _take_waiting(self, limit: int) -> Iterator[list[Parcel]]:
        """Remove parcels that are not in flight, until they have `limit` records. Each list must be settled at once."""
        while limit > 0 and self._halves:
            limit -= sum(map(count_records, self._halves[0]))
            yield self._halves.popleft()
        if limit > 0 and (bundles := self._shards.take_unproven(limit)):
            for bundle in bundles:
                mark_maybe_duplicate(bundle)
            limit -= sum(map(count_records, bundles))
            yield bundles
        if limit > 0:
            for _, parcels in self._retries.take_all():
                limit -= sum(map(count_records, parcels))
                yield parcels
                if limit <= 0:
                    return
            for expired in self._take_expired(math.inf, limit):
                limit -= sum(map(count_records, expired))
                yield expired
        if limit > 0:
            yield from self._shards.relocation.take(limit)

    # --- Statistics -------------------------------------------------------------------------------

    def stats(self, now: float) -> ProducerStats:
        """Return a snapshot of the statistics."""
        return self._snapshots.take(self._in_flight, now)


def _packed_per_call(options: ProducerOptions) -> int:
    """Return after how many records a call packs no further request."""
    if options.compression:
        return RECORDS_COMPRESSED_PER_CALL
    return RECORDS_BUNDLED_PER_CALL if options.aggregate else RECORDS_PACKED_PER_CALL


def _is_misplaced(parcel: Parcel) -> bool:
    """Return whether `parcel` cannot be sent as it is: its shard is closed, or may no longer own all of its keys."""
    return parcel.outbox.is_closed or (parcel.outbox.is_doubted and is_mixed(parcel))
