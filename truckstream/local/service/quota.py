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
"""

from __future__ import annotations

from typing import Final

from truckstream.local.service import limits

__all__ = ["Bucket", "ReadQuota", "WriteQuota"]

_UNLIMITED: Final = float("inf")


class Bucket:
    """Tokens that come back at `rate` a second, at most one second's worth."""

    __slots__ = ("_at", "_rate", "tokens")

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self.tokens = rate
        self._at = now

    def refill(self, now: float) -> float:
        """Bring `tokens` up to `now`, and return them."""
        if now > self._at:  # a clock that stands still or steps back brings nothing
            self.tokens = min(self._rate, self.tokens + (now - self._at) * self._rate)
            self._at = now
        return self.tokens

    def has(self, amount: float) -> bool:
        """Whether there is room for `amount`, or as much as there ever is."""
        return self.tokens >= amount or self.tokens >= self._rate

    def take(self, amount: float) -> None:
        self.tokens -= amount

    def overdraw(self, amount: float) -> None:
        """Take what is already gone, without the credit when it is more than that."""
        self.tokens = self.tokens - amount if amount <= self.tokens else -amount


class WriteQuota:
    """What a shard takes a second. With `limited` false it counts nothing."""

    __slots__ = ("_bytes", "_records")

    def __init__(self, now: float, *, limited: bool = True) -> None:
        self._records = Bucket(limits.SHARD_WRITE_RECORDS_PER_SECOND if limited else _UNLIMITED, now)
        self._bytes = Bucket(limits.SHARD_WRITE_BYTES_PER_SECOND if limited else _UNLIMITED, now)

    def refill(self, now: float) -> None:
        """Bring both buckets up to `now`: once for a request, because its records all come at one time."""
        self._records.refill(now)
        self._bytes.refill(now)

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

    def __init__(self, now: float, *, limited: bool = True) -> None:
        self._calls = Bucket(limits.SHARD_READ_CALLS_PER_SECOND if limited else _UNLIMITED, now)
        self._bytes = Bucket(limits.SHARD_READ_BYTES_PER_SECOND if limited else _UNLIMITED, now)

    def admit(self, now: float) -> bool:
        """Whether a call may read now; one that may is counted."""
        if self._calls.refill(now) < 1 or self._bytes.refill(now) < 0:
            return False
        self._calls.take(1)
        return True

    def charge(self, size: int) -> None:
        """The admitted call answered with `size` bytes."""
        self._bytes.overdraw(size)
