"""The quotas of a shard, enforced by token buckets that hold one second's worth.

Writes: a record is admitted if both buckets, records and bytes, have room for it, and is then taken from both. Bytes
are those of the data and its partition key. The buckets start full, so that in a window of w seconds at most (1 + w)
times the quota is admitted. The service does not document its burst. Its metrics are per second, so that they cannot
show a burst of one second.

A record of more than one second's worth (a stream can have records of 10 MiB) is admitted if the bucket is full, and
leaves a debt: "the average throughput for your stream cannot exceed 1 MiB per second".

Reads: the size of a response is known only after the read, so its bytes are taken afterwards. A response with more
bytes than the bucket holds also takes away the credit: "If a call returns this amount of data [10 MiB], subsequent
calls made within the next 5 seconds throw ProvisionedThroughputExceededException" is 10 MiB of debt at 2 MiB a second.

`scale` multiplies every rate: with 0.1 a shard is ten times slower than one of the service; infinity disables the
quotas.
"""

from __future__ import annotations

from typing import NamedTuple

from truckstream.local.service.quotas import limits

__all__ = ["QuotaBucket", "QuotaLeft", "ReadQuota", "WriteQuota"]


class QuotaLeft(NamedTuple):
    """Tokens in the four buckets of a shard; negative for a debt."""

    write_records: float
    write_bytes: float
    read_calls: float
    read_bytes: float


class QuotaBucket:
    """A token bucket that refills at `rate` a second and holds one second's worth, at least one token."""

    __slots__ = ("_at", "_most", "_rate", "tokens")

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._most = max(rate, 1.0)
        self.tokens = self._most
        self._at = now

    def refill(self, now: float) -> float:
        """Add the tokens of the time until `now`, and return all."""
        if now > self._at:  # a clock that stands still or steps back adds no tokens
            self.tokens = min(self._most, self.tokens + (now - self._at) * self._rate)
            self._at = now
        return self.tokens

    def has(self, amount: float) -> bool:
        """Return whether the bucket holds `amount` tokens or is full."""
        return self.tokens >= amount or self.tokens >= self._most

    def is_full(self, now: float) -> bool:
        return self.refill(now) >= self._most

    def take(self, amount: float) -> None:
        self.tokens -= amount

    def overdraw(self, amount: float) -> None:
        """Take an amount that is already used; if it exceeds the tokens, their credit is lost."""
        self.tokens = self.tokens - amount if amount <= self.tokens else -amount


class WriteQuota:
    """The write quota of a shard."""

    __slots__ = ("_bytes", "_records")

    def __init__(self, now: float, scale: float = 1.0) -> None:
        self._records = QuotaBucket(limits.SHARD_WRITE_RECORDS_PER_SECOND * scale, now)
        self._bytes = QuotaBucket(limits.SHARD_WRITE_BYTES_PER_SECOND * scale, now)

    def refill(self, now: float) -> tuple[float, float]:
        """Refill both buckets and return their tokens.

        Called once per request, because all records of a request arrive at the same time.
        """
        return self._records.refill(now), self._bytes.refill(now)

    def take(self, size: int) -> bool:
        """Take one record of `size` bytes and return True, or take nothing and return False."""
        if self._records.tokens < 1 or not self._bytes.has(size):
            return False
        self._records.tokens -= 1
        self._bytes.tokens -= size
        return True


class ReadQuota:
    """The read quota of a shard: calls and bytes a second."""

    __slots__ = ("_bytes", "_calls")

    def __init__(self, now: float, scale: float = 1.0) -> None:
        self._calls = QuotaBucket(limits.SHARD_READ_CALLS_PER_SECOND * scale, now)
        self._bytes = QuotaBucket(limits.SHARD_READ_BYTES_PER_SECOND * scale, now)

    def refill(self, now: float) -> tuple[float, float]:
        """Refill both buckets and return their tokens."""
        return self._calls.refill(now), self._bytes.refill(now)

    def admit(self, now: float) -> bool:
        """Return whether a call may read now, and count it if so."""
        calls, size = self.refill(now)
        if calls < 1 or size < 0:
            return False
        self._calls.take(1)
        return True

    def charge(self, size: int) -> None:
        """Take the `size` bytes that an admitted call returned."""
        self._bytes.overdraw(size)
