"""A shard's quotas as token buckets that hold one second's worth.

Writes: a record passes when both buckets, records and bytes, have room for it, and then takes from both. Bytes count
the data and its partition key. The buckets start full, so that over any window of w seconds at most
(1 + w) x quota is taken. The service does not document its burst; one second's worth is what its own metrics, which
are per second, let pass.

A record of more than one second's worth (a stream may take records of 10 MiB) passes when the bucket is full, and
leaves a debt: "the average throughput for your stream cannot exceed 1 MiB per second".

Reads: a call's size is known only when it is answered, so the bytes are taken afterwards. An answer that takes more
than there is loses the credit it had: "If a call returns this amount of data [10 MiB], subsequent calls made within
the next 5 seconds throw ProvisionedThroughputExceededException" is then 10 MiB of debt at 2 MiB a second.

`scale` multiplies every rate: 0.1 makes a shard ten times slower than the service's, infinity counts nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from truckstream.local.service.quotas import limits

__all__ = ["QuotaBucket", "QuotaLeft", "ReadQuota", "WriteQuota"]


class QuotaLeft(NamedTuple):
    """What a shard's four buckets hold; negative for a debt."""

    write_records: float
    write_bytes: float
    read_calls: float
    read_bytes: float


class QuotaBucket:
    """Tokens that come back at `rate` a second, at most one second's worth, and never less than room for one."""

    __slots__ = ("_at", "_most", "_rate", "tokens")

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._most = max(rate, 1.0)
        self.tokens = self._most
        self._at = now

    def refill(self, now: float) -> float:
        """Bring `tokens` up to `now`, and return them."""
        if now > self._at:  # a clock that stands still or steps back brings nothing
            self.tokens = min(self._most, self.tokens + (now - self._at) * self._rate)
            self._at = now
        return self.tokens

    def has(self, amount: float) -> bool:
        """Whether there is room for `amount`, or as much as there ever is."""
        return self.tokens >= amount or self.tokens >= self._most

    def is_full(self, now: float) -> bool:
        return self.refill(now) >= self._most

    def take(self, amount: float) -> None:
        self.tokens -= amount

    def overdraw(self, amount: float) -> None:
        """Take what is already gone, without the credit when it is more than that."""
        self.tokens = self.tokens - amount if amount <= self.tokens else -amount


class WriteQuota:
    """What a shard takes a second."""

    __slots__ = ("_bytes", "_records")

    def __init__(self, now: float, scale: float = 1.0) -> None:
        self._records = QuotaBucket(limits.SHARD_WRITE_RECORDS_PER_SECOND * scale, now)
        self._bytes = QuotaBucket(limits.SHARD_WRITE_BYTES_PER_SECOND * scale, now)

    def refill(self, now: float) -> tuple[float, float]:
        """Bring both buckets up to `now`, and return what they hold.

        Once for a request, because its records all come at one time.
        """
        return self._records.refill(now), self._bytes.refill(now)

    def take(self, size: int) -> bool:
        """Take one record of `size` bytes, or refuse it and take nothing."""
        if self._records.tokens < 1 or not self._bytes.has(size):
            return False
        self._records.tokens -= 1
        self._bytes.tokens -= size
        return True


class ReadQuota:
    """How often, and how much, a shard is read a second."""

    __slots__ = ("_bytes", "_calls")

    def __init__(self, now: float, scale: float = 1.0) -> None:
        self._calls = QuotaBucket(limits.SHARD_READ_CALLS_PER_SECOND * scale, now)
        self._bytes = QuotaBucket(limits.SHARD_READ_BYTES_PER_SECOND * scale, now)

    def refill(self, now: float) -> tuple[float, float]:
        """Bring both buckets up to `now`; what they hold."""
        return self._calls.refill(now), self._bytes.refill(now)

    def admit(self, now: float) -> bool:
        """Whether a call may read now; one that may is counted."""
        calls, size = self.refill(now)
        if calls < 1 or size < 0:
            return False
        self._calls.take(1)
        return True

    def charge(self, size: int) -> None:
        """The admitted call answered with `size` bytes."""
        self._bytes.overdraw(size)
