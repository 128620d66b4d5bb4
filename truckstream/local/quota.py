"""A shard's quotas: token buckets that hold one second of their rate.

"Each shard can support writes up to 1,000 records per second, up to a maximum data write total of 1 MB per second"
(PutRecords); "each shard can support up to a maximum total data read rate of 2 MB per second via GetRecords ... and
five transactions per second" (GetRecords). MB is taken as MiB, as the developer guide does. How the service smooths
bursts is not published; a bucket of one second is what its clients (the KPL) assume. Read 2026-11-23.
"""

from __future__ import annotations

from typing import Final

__all__ = ["Bucket", "ReadQuota", "WriteQuota"]

MIB: Final = 1024 * 1024


class Bucket:
    """Tokens that come in at `rate` a second, up to one second's worth."""

    __slots__ = ("_at", "_tokens", "rate")

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self._tokens = rate
        self._at = now

    def level(self, now: float) -> float:
        if now > self._at:
            self._tokens = min(self.rate, self._tokens + (now - self._at) * self.rate)
            self._at = now
        return self._tokens

    def take(self, amount: float) -> None:
        self._tokens -= amount


class WriteQuota:
    """What a shard still takes: records, and bytes of data and partition keys."""

    __slots__ = ("_bytes", "_records")

    def __init__(self, now: float, records_per_second: float = 1_000, bytes_per_second: float = MIB) -> None:
        self._records = Bucket(records_per_second, now)
        self._bytes = Bucket(bytes_per_second, now)

    def admits(self, size: int, now: float) -> bool:
        """Take one record of `size` bytes, if it fits. One larger than a second's bytes needs a full bucket."""
        if self._records.level(now) < 1 or self._bytes.level(now) < min(size, self._bytes.rate):
            return False
        self._records.take(1)
        self._bytes.take(size)
        return True


class ReadQuota:
    """Five calls and 2 MiB a second. The bytes are paid after the call, so a large answer mutes the shard a while."""

    __slots__ = ("_bytes", "_calls")

    def __init__(self, now: float, calls_per_second: float = 5, bytes_per_second: float = 2 * MIB) -> None:
        self._calls = Bucket(calls_per_second, now)
        self._bytes = Bucket(bytes_per_second, now)

    def admits(self, now: float) -> bool:
        if self._calls.level(now) < 1 or self._bytes.level(now) <= 0:
            return False
        self._calls.take(1)
        return True

    def pay(self, size: int) -> None:
        self._bytes.take(size)
