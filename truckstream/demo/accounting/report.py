"""The report of a run: as text for people, and as JSON for scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from truckstream.demo.accounting.timeline import BacklogSample, ShardRate

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["DemoReport", "Latency", "ShardReport", "share_of_quota"]

#: Records of a full object. The rejected records of its batch count towards it.
FULL_OBJECT: Final = 700

#: A larger share of the quota is shown as a multiple. Without compression a burst takes a little more than the quota.
MANY: Final = 2.0


class ShardReport(msgspec.Struct, frozen=True):
    """One shard over the steady part of the run."""

    shard_id: str
    records_per_second: float
    #: Of the shard's quota of 1,000 Kinesis records a second. With compression many records are one of them.
    quota_share: float

    def describe(self) -> str:
        """Return the rate as text."""
        rate = f"{self.shard_id}: {self.records_per_second:,.0f} records/s"
        if self.quota_share < MANY:
            return f"{rate}, {share_of_quota(self.quota_share)} of its quota."
        return f"{rate}, {self.quota_share:.1f} times as many as its quota has Kinesis records."


def share_of_quota(share: float, precision: int = 1) -> str:
    """Return a share of the quota of 1,000 records as text. With compression it is a multiple, such as 12.3x."""
    return f"{share:.{precision}%}" if share < MANY else f"{share:.1f}x"


class Latency(msgspec.Struct, frozen=True):
    """Percentiles of the time from a record's put to the creation of its object, in milliseconds."""

    p50: float
    p90: float
    p99: float
    max: float
    #: All percentiles from 0 to 100, those between the others included.
    percentiles: list[float]

    @classmethod
    def of(cls, ascending_seconds: list[float]) -> Latency:
        all_of_them = [_percentile(ascending_seconds, share / 100) for share in range(101)]
        p50, p90, p99, most = (all_of_them[share] for share in (50, 90, 99, 100))
        return cls(p50, p90, p99, most, percentiles=all_of_them)


class DemoReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a run. Counts are records unless noted otherwise."""

    records_put: int
    records_acked: int
    records_failed: int
    records_stored: int
    records_rejected: int
    #: The rejected records by reason, the most frequent first.
    rejected_reasons: dict[str, int]
    #: Acknowledged, but in no object.
    lost: int
    #: Copies in the objects beyond those that can be in the stream.
    duplicated: int
    #: In the stream before an earlier record of the same truck.
    out_of_order: int
    #: Valid records that were rejected, invalid ones that were stored, and those rejected for a wrong reason.
    misjudged: int
    #: In the objects, but never put.
    foreign: int
    #: Number of objects of valid records.
    objects: int
    #: Number of objects by the number of records in them.
    object_sizes: dict[int, int]
    #: Number of PutRecords requests by the number of records in them.
    request_sizes: dict[int, int]
    shards: list[ShardReport]
    #: Of the records sent, the share that the service throttled for a shard's quota.
    throttled_share: float
    #: From the first put to the last object.
    seconds: float
    latency_ms: Latency
    #: CPU time of the process that runs the fleet, the producer and the display.
    cpu_us_per_record: float
    out: str
    seed: int
    #: From the first put to the last one.
    shard_rates: list[ShardRate]
    #: From the first put to the last object.
    backlog: list[BacklogSample]

    @property
    def clean(self) -> bool:
        """True if every acknowledged record is in one object, once, and of the right kind."""
        return self.lost == self.duplicated == self.misjudged == self.foreign == 0

    def save(self, path: Path) -> None:
        """Write the report as JSON."""
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n")

    def summary(self) -> str:
        """Return the report as text."""
        latency, sizes = self.latency_ms, _describe_sizes(self.object_sizes)
        reasons = _describe_reasons(self.rejected_reasons)
        lines = [
            f"{self.records_put:,} records were put and {self.records_acked:,} were acknowledged by the stream"
            + (f"; {self.records_failed:,} failed." if self.records_failed else "."),
            f"{self.records_stored:,} are stored in {self.objects:,} object{'s' * (self.objects != 1)}{sizes}.",
            f"{self.records_rejected:,} broke a rule and are stored under rejected/, each with the reason{reasons}.",
            f"{self.lost:,} lost, {self.duplicated:,} duplicated, {self.out_of_order:,} out of order.",
        ]
        if self.misjudged or self.foreign:
            lines.append(f"{self.misjudged:,} are stored in the wrong place, and {self.foreign:,} were never put.")
        lines += [shard.describe() for shard in self.shards]
        lines += [
            f"{self.throttled_share:.2%} of the records sent were throttled.",
            f"CPU time: {self.cpu_us_per_record:.1f} µs a record.",
            f"From put to object: 50% within {latency.p50 / 1000:.1f} s, 99% within {latency.p99 / 1000:.1f} s.",
        ]
        return "\n".join(lines)


def _describe_sizes(sizes: dict[int, int]) -> str:
    if not sizes:
        return ""
    full, smaller = sizes.get(FULL_OBJECT, 0), sum(count for size, count in sizes.items() if size != FULL_OBJECT)
    if not full:  # the rejected records count towards an object's 700
        return f" of up to {max(sizes):,} records"
    return f": {full:,} of {FULL_OBJECT} records, {smaller:,} with fewer"


def _describe_reasons(reasons: dict[str, int]) -> str:
    return f": {', '.join(f'{count:,} {reason}' for reason, count in reasons.items())}" if reasons else ""


def _percentile(ascending_seconds: list[float], share: float) -> float:
    """Return a percentile in milliseconds; 0 for an empty list."""
    if not ascending_seconds:
        return 0.0
    index = min(len(ascending_seconds) - 1, int(len(ascending_seconds) * share))
    return round(ascending_seconds[index] * 1000, 1)
