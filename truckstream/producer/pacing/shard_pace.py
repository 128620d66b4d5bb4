"""How fast a shard may be written: a bucket for records and one for bytes, and a rate that learns from throttles.

The service refuses what exceeds a shard's quota, record by record, and a refused record has cost a transmission.
Sending at just the quota's rate fills the shard without any refusal. The rate falls by a factor when the shard
throttles all the same (another producer writes to it, or the quota is lower than documented) and then grows back
steadily, which is what lets several producers converge to fair shares of one shard.

Nothing here waits: a bucket answers how much may go now, and when more may.
"""

from __future__ import annotations

import math
from typing import Final

from truckstream.kinesis.limits import SHARD_BYTES_PER_SECOND, SHARD_RECORDS_PER_SECOND

__all__ = ["ShardPace", "TokenBucket"]

#: A bucket holds half a second of its rate. The service's holds a second, so the half that is left covers the
#: difference in delay between two requests; and a loop that is busy for less than half a second loses nothing.
BURST_SECONDS: Final = 0.5

#: A backlog is sent in steps of this much of the rate, so that a saturated shard takes ten requests of 100 records
#: a second and not a thousand of one.
STEP_SECONDS: Final = 0.1

#: A throttle takes the refused part of the request off the rate, at least and at most these parts of it: two producers
#: that start together at the full rate are at half of it after one answer. Answers to requests that were under way when
#: the rate fell tell nothing new.
LEAST_CUT: Final = 0.1
MOST_CUT: Final = 0.5
LOWEST_SHARE: Final = 0.02

#: What comes back a second, in shares of the quota. It is the same for all producers of a shard, whatever their rate,
#: while a cut takes more from the faster one: that makes their rates alike.
RECOVERY_SHARE_PER_SECOND: Final = 0.03

#: A wake-up on the dot must find its tokens in spite of rounding.
TOLERANCE: Final = 1e-6


class TokenBucket:
    """Tokens that come in at `rate` a second, up to `capacity`. A large debit may leave a debt."""

    __slots__ = ("_at", "_tokens", "capacity", "rate")

    def __init__(self, rate: float, capacity: float, now: float) -> None:
        self.rate = rate
        self.capacity = capacity
        self._tokens = capacity
        self._at = now

    def level(self, now: float) -> float:
        """Tokens that are there now; negative while a debt is paid off."""
        if now > self._at:
            self._tokens = min(self.capacity, self._tokens + (now - self._at) * self.rate)
            self._at = now
        return self._tokens

    def take(self, amount: float, now: float) -> None:
        self._tokens = self.level(now) - amount

    def when(self, amount: float, now: float) -> float:
        """The time when `amount` is there; for more than the capacity, when the bucket is full."""
        missing = min(amount, self.capacity) - self.level(now)
        return now if missing <= TOLERANCE else now + missing / self.rate

    def set_rate(self, rate: float, now: float) -> None:
        self.level(now)
        self.rate = rate


class ShardPace:
    """The pace of one shard.

    Args:
        now: the time.
        learns: the shard's quota is not known (the stream is on demand): the documented one is where the rate begins,
            and it grows beyond that while it holds records back and nothing is refused.
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
        #: The rate as a part of the documented quota.
        self._share = 1.0
        self._share_at = now
        self._cut_at = -math.inf
        #: When records were last held back by the rate.
        self._pressed_at = -math.inf

    def rate_at(self, now: float) -> float:
        """The present rate in records a second."""
        self._recover(now)
        return self._records.rate

    def records_allowed(self, now: float) -> int:
        """How many records may go now, as far as their number is concerned."""
        self._recover(now)
        return max(0, math.floor(self._records.level(now) + TOLERANCE))

    def bytes_allowed(self, now: float) -> float:
        return self._bytes.level(now)

    def fits(self, size: int, bytes_left: float) -> bool:
        """Whether a record of `size` may go. One larger than the bucket goes when the bucket is full."""
        return bytes_left + TOLERANCE >= min(size, self._bytes.capacity)

    def take(self, records: int, size: int, now: float) -> None:
        self._records.take(records, now)
        self._bytes.take(size, now)
        if self._learns and any(box.level(now) < box.rate * STEP_SECONDS for box in (self._records, self._bytes)):
            self._pressed_at = now

    def when(self, records: int, size: int, first: int, now: float) -> float:
        """When a worthwhile step of a backlog may go: `records` and `size` bytes, its first record of `first` bytes."""
        self._recover(now)
        step = min(records, max(1, math.floor(self._records.rate * STEP_SECONDS)))
        size_step = max(first, min(size, self._bytes.rate * STEP_SECONDS))
        return max(self._records.when(step, now), self._bytes.when(size_step, now))

    def on_throttled(self, refused: float, sent_at: float, now: float) -> None:
        """The shard refused this part, over 0 to 1, of what a request that was sent at `sent_at` had for it."""
        if sent_at < self._cut_at:
            return
        self._recover(now)
        self._cut_at = now
        self._set_share(max(LOWEST_SHARE, self._share * (1 - min(MOST_CUT, max(LEAST_CUT, refused)))), now)

    def _recover(self, now: float) -> None:
        seconds = now - self._share_at
        if seconds <= 0 or (self._share >= 1.0 and not self._learns):
            return
        if self._share < 1.0:
            self._set_share(min(1.0, self._share + seconds * RECOVERY_SHARE_PER_SECOND), now)
        elif now - self._pressed_at > BURST_SECONDS:
            self._share_at = now  # the rate is not what holds records back: nothing is learnt of a higher one
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
