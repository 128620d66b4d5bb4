"""Records whose deadline passes while a request with them is in flight.

An attempt ends with the deadline of its youngest record, and the youngest records get their outcome from that end. The
older ones must not wait for it:

1. If nothing of the request was sent yet, because it waits for credentials, a proxy or a connection, the attempt is
   withdrawn. An older record fails and is certainly not stored; the younger ones are sent again without it.
2. Otherwise the request goes on for the sake of its younger records. An older record fails as possibly stored. With
   `ordered=True` the next record of its key waits until the request has ended, because a record that is stored late
   must not come after its successors. It does not wait past its own deadline.
3. A client that does not end its attempt in time (one of the user's may not) gets some grace. Then the request counts
   as failed, so that its records have their outcome and others are sent.

Cutting a request off at the deadline of its oldest record instead would make possible duplicates of all the others.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.producer.outcomes import delivery_errors
from truckstream.producer.queueing.outbox import Failure
from truckstream.producer.queueing.request import GRACE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from truckstream.producer.outcomes.settlement import Settlement
    from truckstream.producer.queueing.outbox import QueuedRecord
    from truckstream.producer.queueing.request import Request

__all__ = ["InFlightDeadlines"]


class InFlightDeadlines:
    """Fails records in flight at their deadlines."""

    def __init__(self, delivery_timeout: float, settlement: Settlement) -> None:
        self._delivery_timeout = delivery_timeout
        self._settlement = settlement

    def expire(self, request: Request, now: float) -> RequestFailedError | None:
        """Fail the records of `request` past their deadline, at its `wakeup_at`, and set the next one.

        Return the failure of the request if it is overdue itself.
        """
        self._expire_records(request, now)
        end = request.deadline + GRACE_SECONDS
        request.wakeup_at = min(request.expires_at, end, self._expire_behind(request.overdue, now))
        if now < end:
            return None
        kind = FailureKind.NOT_SENT if request.attempt.withdraw() else FailureKind.AMBIGUOUS
        return RequestFailedError(kind, "TimeoutError", "the client did not end the attempt in time")

    def on_end(self, request: Request) -> None:
        """The request has ended, so nothing of it will be stored any more."""
        for record in request.overdue:
            self._settlement.on_request_ended(record)
        request.overdue.clear()

    def _expire_behind(self, overdue: Iterable[QueuedRecord], now: float) -> float:
        """Fail the records past their deadline that wait for the `overdue` ones; return the next deadline."""
        next_deadline = math.inf
        for record in overdue:
            queue = record.outbox.queue
            late = queue.take_expired_behind(record, self._delivery_timeout, now)
            make_error = partial(delivery_errors.timed_out, delivery_timeout=self._delivery_timeout)
            self._settlement.fail(late, Failure(make_error))
            next_deadline = min(next_deadline, queue.deadline_behind(record, self._delivery_timeout))
        return next_deadline

    def _expire_records(self, request: Request, now: float) -> None:
        if now < request.expires_at:
            return
        expired = request.take_expired(now)
        is_withdrawn = request.attempt.withdraw()
        for record in expired:
            record.maybe_duplicate = record.maybe_duplicate or not is_withdrawn
        timeout = self._delivery_timeout
        make_error = partial(delivery_errors.timed_out_in_flight, delivery_timeout=timeout, is_withdrawn=is_withdrawn)
        self._settlement.fail(expired, Failure(make_error), may_come_yet=not is_withdrawn)
        if not is_withdrawn:
            request.overdue += expired
