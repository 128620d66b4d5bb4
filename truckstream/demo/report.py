"""The account in words and as a file for scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Latency", "Report", "ShardReport"]

#: Records of a full group, valid and invalid.
FULL_GROUP: Final = 700


class ShardReport(msgspec.Struct, frozen=True):
    """One shard over the steady part of the run."""

    shard_id: str
    records_per_second: float
    #: Of the shard's 1,000 records a second.
    quota_share: float


class Latency(msgspec.Struct, frozen=True):
    """From put to the object's creation, in milliseconds."""

    p50: float
    p99: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What the demo found. Counts are records unless they say otherwise."""

    records_put: int
    records_acked: int
    records_failed: int
    records_stored: int
    records_rejected: int
    #: Acknowledged and in no object.
    lost: int
    #: In the objects more often than they can be in the stream.
    duplicated: int
    #: In the stream before an earlier record of the same truck.
    out_of_order: int
    #: Valid among the rejected, invalid among the stored, or rejected for another reason than the true one.
    misjudged: int
    #: In the objects and never put.
    foreign: int
    #: Objects of valid records.
    objects: int
    #: Objects by their number of records.
    object_sizes: dict[int, int]
    shards: list[ShardReport]
    #: Of the sends, those that the service refused for a shard's quota.
    throttled_share: float
    #: From the first put to the last object.
    seconds: float
    latency_ms: Latency
    #: CPU of the process with fleet, producer and display.
    cpu_us_per_record: float
    out: str
    seed: int

    @property
    def clean(self) -> bool:
        """Every acknowledged record is in one object, once, and where it belongs."""
        return self.lost == self.duplicated == self.misjudged == self.foreign == 0

    def save(self, path: Path) -> None:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n")

    def words(self) -> str:
        """The account as a newcomer reads it."""
        latency, sizes = self.latency_ms, _sizes(self.object_sizes)
        lines = [
            f"{self.records_put:,} records were put and {self.records_acked:,} acknowledged by the stream"
            + (f"; {self.records_failed:,} failed." if self.records_failed else "."),
            f"{self.records_stored:,} are stored in {self.objects:,} object{'s' * (self.objects != 1)}{sizes}.",
            f"{self.records_rejected:,} broke a rule and lie in rejected/, each with its reason.",
            f"{self.lost:,} lost, {self.duplicated:,} duplicated, {self.out_of_order:,} out of order.",
        ]
        if self.misjudged or self.foreign:
            lines.append(f"{self.misjudged:,} lie in the wrong place, and {self.foreign:,} were never put.")
        lines += [
            f"{shard.shard_id}: {shard.records_per_second:,.0f} records/s, {shard.quota_share:.1%} of its quota."
            for shard in self.shards
        ]
        lines += [
            f"{self.throttled_share:.2%} of the sends were throttled; {self.cpu_us_per_record:.1f} µs of CPU a record.",
            f"From put to object: half within {latency.p50 / 1000:.1f} s, 99 % within {latency.p99 / 1000:.1f} s.",
        ]
        return "\n".join(lines)


def _sizes(sizes: dict[int, int]) -> str:
    if not sizes:
        return ""
    full, rest = sizes.get(FULL_GROUP, 0), sum(count for size, count in sizes.items() if size != FULL_GROUP)
    if not full:  # a group counts the invalid records too
        return f" of up to {max(sizes):,} records"
    return f": {full:,} of {FULL_GROUP} records, {rest:,} with fewer"
