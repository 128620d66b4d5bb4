"""How fast one shard is written: a bucket for records, one for bytes, and a rate that learns from throttles.

The service rejects each record that exceeds the shard's quota, and a rejected record has cost a transmission. Sending
at exactly the quota's rate fills the shard without any rejection. When the shard throttles all the same (another
producer writes to it, or the quota is lower than documented), the rate falls by a factor and then grows back steadily,
which makes several producers converge to fair shares of one shard.

Nothing waits in here: a bucket returns how much may be sent now, and when more may be.
"""

from __future__ import annotations

import math
from typing import Final

from truckstream.kinesis.limits import SHARD_BYTES_PER_SECOND, SHARD_RECORDS_PER_SECOND

__all__ = ["ShardPacer", "TokenBucket"]

#: A bucket holds half a second of its rate. The service's holds a second, so the other half covers the difference in
#: delay between two requests; and a loop that is busy for less than half a second loses nothing.
BURST_SECONDS: Final = 0.5

#: A backlog is sent in steps of this much of the rate, so that a saturated shard takes ten requests of 100 records
#: a second and not a thousand of one.
STEP_SECONDS: Final = 0.1

#: A throttle lowers the rate by the part of the request that was rejected, within these limits: two producers that
#: start together at the full rate are at half of it after one response. Responses to requests that were in flight when
#: the rate fell do not lower it again.
LEAST_CUT: Final = 0.1
MOST_CUT: Final = 0.5
LOWEST_SHARE: Final = 0.02

#: The rate's recovery in a second, as a share of the quota. It is the same for the fast and the slow producers of a
#: shard, while a cut takes more from a fast one: that makes their rates converge.
RECOVERY_SHARE_PER_SECOND: Final = 0.03

#: A wake-up at exactly the right time must find its tokens in spite of rounding.
TOLERANCE: Final = 1e-6


class TokenBucket:
    """Tokens that arrive at `rate` a second, up to `capacity`. A large debit may leave a debt."""

    __slots__ = ("_at", "_tokens", "capacity", "rate")

    def __init__(self, rate: float, capacity: float, now: float) -> None:
        self.rate = rate
        self.capacity = capacity
        self._tokens = capacity
        self._at = now

    def level(self, now: float) -> float:
        """Return the number of tokens; negative while a debt is paid off."""
        if now > self._at:
            self._tokens = min(self.capacity, self._tokens + (now - self._at) * self.rate)
            self._at = now
        return self._tokens

    def take(self, amount: float, now: float) -> None:
        self._tokens = self.level(now) - amount

    def when(self, amount: float, now: float) -> float:
        """Return when the bucket will hold `amount`; for more than its capacity, when it will be full."""
        missing = min(amount, self.capacity) - self.level(now)
        return now if missing <= TOLERANCE else now + missing / self.rate

    def set_rate(self, rate: float, now: float) -> None:
        self.level(now)
        self.rate = rate


class ShardPacer:
    """The rate at which one shard is written.

    Args:
        now: the time.
        learns: the shard's quota is unknown, because the stream is on demand. The rate starts at the documented quota
            and grows beyond it while it holds records back and nothing is throttled.
    """

    __slots__ = (
        "_bytes",
        "_cut_at",
        "_learns",
        "_pressed_at",
        "_records",
        "_share",
        "_share_at",
    )

    def __init__(self, now: float, *, learns: bool = False) -> None:
        self._records = TokenBucket(SHARD_RECORDS_PER_SECOND, SHARD_RECORDS_PER_SECOND * BURST_SECONDS, now)
        self._bytes = TokenBucket(SHARD_BYTES_PER_SECOND, SHARD_BYTES_PER_SECOND * BURST_SECONDS, now)
        self._learns = learns
        #: The rate as a share of the documented quota.
        self._share = 1.0
        self._share_at = now
        self._cut_at = -math.inf
        #: When the rate last held records back.
        self._pressed_at = -math.inf

    def rate_at(self, now: float) -> float:
        """Return the present rate in records a second."""
        self._recover(now)
        return self._records.rate

    def records_allowed(self, now: float) -> int:
        """Return how many records may be sent now, as far as their number is concerned."""
        self._recover(now)
        return max(0, math.floor(self._records.level(now) + TOLERANCE))

    def bytes_allowed(self, now: float) -> float:
        return self._bytes.level(now)

    def fits(self, size: int, bytes_left: float) -> bool:
        """Return whether a record of `size` may be sent. One larger than the bucket may when the bucket is full."""
        return bytes_left + TOLERANCE >= min(size, self._bytes.capacity)

    def take(self, records: int, size: int, now: float) -> None:
        self._records.take(records, now)
        self._bytes.take(size, now)
        if self._learns and any(box.level(now) < box.rate * STEP_SECONDS for box in (self._records, self._bytes)):
            self._pressed_at = now

    def when(self, records: int, size: int, first: int, now: float) -> float:
        """Return when a worthwhile step of a backlog may be sent.

        The backlog has `records` and `size` bytes, and its first record `first` bytes.
        """
        self._recover(now)
        step = min(records, max(1, math.floor(self._records.rate * STEP_SECONDS)))
        size_step = max(first, min(size, self._bytes.rate * STEP_SECONDS))
        return max(self._records.when(step, now), self._bytes.when(size_step, now))

    def on_throttled(self, share: float, sent_at: float, now: float) -> None:
        """Lower the rate: the shard throttled this share (0 to 1) of its records in a request sent at `sent_at`."""
        if sent_at < self._cut_at:
            return
        self._recover(now)
        self._cut_at = now
        self._set_share(max(LOWEST_SHARE, self._share * (1 - min(MOST_CUT, max(LEAST_CUT, share)))), now)

    def _recover(self, now: float) -> None:
        seconds = now - self._share_at
        if seconds <= 0 or (self._share >= 1.0 and not self._learns):
            return
        if self._share < 1.0:
            self._set_share(min(1.0, self._share + seconds * RECOVERY_SHARE_PER_SECOND), now)
        elif now - self._pressed_at > BURST_SECONDS:
            self._share_at = now  # the rate does not hold records back, so nothing can be learnt about a higher one
        elif self._cut_at == -math.inf:
            self._set_share(self._share * 2.0 ** min(1.0, seconds), now)
        else:
            self._set_share(self._share + seconds * RECOVERY_SHARE_PER_SECOND, now)

    def _set_share(self, share: float, now: float) -> None:
        self._share, self._share_at = share, now
        self._records.set_rate(SHARD_RECORDS_PER_SECOND * share, now)
        self._bytes.set_rate(SHARD_BYTES_PER_SECOND * share, now)
        for bucket in (self._records, self._bytes):
            bucket.capacity = max(bucket.capacity, bucket.rate * BURST_SECONDS)
