"""How fast one shard is written: a bucket for records, one for bytes, at the rate that the shard accepts.

The service rejects each record that exceeds the shard's quota, and a rejected record has cost a transmission. Sending
at exactly the quota's rate fills the shard without any rejection. When the shard throttles all the same, the rate
follows what the shard accepts (`accepted_rate.py`).

Nothing waits in here: a bucket returns how much may be sent now, and when more may be.
"""

from __future__ import annotations

import math
from typing import Final

from truckstream.kinesis.limits import SHARD_BYTES_PER_SECOND, SHARD_RECORDS_PER_SECOND
from truckstream.producer.pacing.accepted_rate import AcceptedRate
from truckstream.producer.pacing.token_bucket import TOLERANCE, TokenBucket

__all__ = ["ShardPacer"]

#: A bucket holds half a second of its rate. The service's holds a second, so the other half covers the difference in
#: delay between two requests; and a loop that is busy for less than half a second loses nothing.
BURST_SECONDS: Final = 0.5

#: A backlog is sent in steps of this much of the rate, so that a saturated shard takes ten requests of 100 records
#: a second and not a thousand of one.
STEP_SECONDS: Final = 0.1

#: While the shard throttles, steps are finer: a writer without pacing takes all that the shard has saved up between
#: two of our steps. Beside botocore in a loop, which came every 20 ms, steps of 10 ms got a third less than steps of
#: 5 ms, with as many throttles. A request takes what is due for all shards, so there are 200 a second at most.
FINE_STEP_SECONDS: Final = 0.005

#: So long after it last held records back, the rate still counts as holding them back.
PRESSED_SECONDS: Final = 0.5


class ShardPacer:
    """The rate at which one shard is written.

    Args:
        now: the time.
        learns: the shard's quota is unknown: the stream is on demand, or its shards cannot be listed. The rate starts
            at the documented quota of a shard and grows beyond it while it holds records back and nothing is throttled.
    """

    __slots__ = ("_accepted", "_bytes", "_pressed_at", "_records", "_share")

    def __init__(self, now: float, *, learns: bool = False) -> None:
        self._records = TokenBucket(SHARD_RECORDS_PER_SECOND, SHARD_RECORDS_PER_SECOND * BURST_SECONDS, now)
        self._bytes = TokenBucket(SHARD_BYTES_PER_SECOND, SHARD_BYTES_PER_SECOND * BURST_SECONDS, now)
        self._accepted = AcceptedRate(now, learns=learns)
        #: The share of the documented quota that the buckets have now.
        self._share = 1.0
        #: When the rate last held records back; only for a rate that learns, because only that one needs it.
        self._pressed_at = -math.inf

    def is_calm(self, now: float) -> bool:
        """Whether the shard has not throttled for some seconds, so that nothing is being learnt."""
        return self._accepted.is_calm(now)

    @property
    def needs_responses(self) -> bool:
        """Whether `on_response` has to be called for responses without throttles, too."""
        return self._accepted.needs_responses

    def rate_at(self, now: float) -> float:
        """Return the present rate in records a second."""
        self._update(now)
        return self._records.rate

    def records_allowed(self, now: float) -> int:
        """Return how many records may be sent now, as far as their number is concerned."""
        self._update(now)
        return max(0, math.floor(self._records.level(now) + TOLERANCE))

    def bytes_allowed(self, now: float) -> float:
        return self._bytes.level(now)

    def fits(self, size: int, bytes_left: float) -> bool:
        """Return whether a record of `size` may be sent. One larger than the bucket may when the bucket is full."""
        return bytes_left + TOLERANCE >= min(size, self._bytes.capacity)

    def exceeds_bucket(self, size: int) -> bool:
        """Return whether a record of `size` may only be sent when the bucket is full, and leaves a debt."""
        return size > self._bytes.capacity

    def take(self, records: float, size: float, now: float) -> None:
        self._records.take(records, now)
        self._bytes.take(size, now)
        self._accepted.on_sent(max(records / SHARD_RECORDS_PER_SECOND, size / SHARD_BYTES_PER_SECOND))
        if self._accepted.learns and self._holds_back(now):
            self._pressed_at = now

    def _holds_back(self, now: float) -> bool:
        """Return whether there are tokens for less than a step."""
        step = self._step_at(now)
        return any(bucket.level(now) < bucket.rate * step for bucket in (self._records, self._bytes))

    def when(self, records: int, size: int, first: int, now: float) -> float:
        """Return when a worthwhile step of a backlog may be sent.

        The backlog has `records` and `size` bytes, and its first record `first` bytes.
        """
        self._update(now)
        seconds = self._step_at(now)
        step = min(records, math.ceil(self._records.rate * seconds))
        size_step = max(first, min(size, self._bytes.rate * seconds))
        return max(self._records.when(step, now), self._bytes.when(size_step, now))

    def on_response(self, sent: int, refused: int, sent_at: float, now: float) -> None:
        """The shard throttled `refused` of the `sent` records of a request that was sent at `sent_at`."""
        if refused or self._accepted.needs_responses:
            self._update(now)
            self._accepted.on_response(sent, refused, sent_at, now)
            self._adopt_share(now)

    def _step_at(self, now: float) -> float:
        return STEP_SECONDS if self.is_calm(now) else FINE_STEP_SECONDS

    def _update(self, now: float) -> None:
        self._accepted.grow(now, pressed=now - self._pressed_at <= PRESSED_SECONDS)
        self._adopt_share(now)

    def _adopt_share(self, now: float) -> None:
        share = self._accepted.share
        if share == self._share:
            return
        self._share = share
        self._records.set_rate(SHARD_RECORDS_PER_SECOND * share, now)
        self._bytes.set_rate(SHARD_BYTES_PER_SECOND * share, now)
        for bucket in (self._records, self._bytes):
            bucket.capacity = max(bucket.capacity, bucket.rate * BURST_SECONDS)
