"""The course of a run: how full each shard was over time, and how many records were on their way."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from truckstream.demo.accounting.shard_rate import ShardRateMeter

__all__ = ["BacklogSample", "BacklogSeries", "ShardRate", "shard_rates"]

#: A timeline has so many steps at most, each of one second or more: shorter ones would show the acknowledgements, which
#: arrive in steps of a tenth of a second.
MAX_STEPS: Final = 60


class ShardRate(msgspec.Struct, frozen=True):
    """The records that one shard acknowledged in one step of the run."""

    shard_id: str
    #: Seconds since the first put.
    start: float
    end: float
    records_per_second: float


class BacklogSample(msgspec.Struct, frozen=True):
    """The records on their way at one time."""

    #: Since the first put.
    seconds: float
    #: Buffered or in flight.
    in_producer: int
    #: Acknowledged, and not processed by the function yet.
    in_stream: int


def shard_rates(meters: dict[str, ShardRateMeter], start: float, end: float) -> list[ShardRate]:
    """Return the rates of each shard from `start` to `end`, in equal steps of whole seconds and a shorter last one."""
    width = float(max(1, ceil((end - start) / MAX_STEPS)))
    steps = max(1, ceil((end - start) / width))
    if steps > 1 and end - start - (steps - 1) * width < width / 2:
        steps -= 1  # too short for a rate of its own: it belongs to the step before
    edges = [start + width * number for number in range(steps)] + [end]
    return [
        ShardRate(shard_id, round(low - start, 2), round(high - start, 2), round(meter.mean_rate(low, high), 1))
        for shard_id, meter in sorted(meters.items())
        for low, high in pairwise(edges)
    ]


@dataclass(slots=True)
class BacklogSeries:
    """Samples of the backlog. Of a long run it keeps fewer, so that its memory is bounded."""

    limit: int = 240
    _samples: list[BacklogSample] = field(default_factory=list)
    _offered: int = 0
    #: Every so many samples offered, one is kept.
    _stride: int = 1

    def offer(self, sample: BacklogSample) -> None:
        """Keep the sample, if its turn has come."""
        if self._offered % self._stride == 0:
            self._samples.append(sample)
            if len(self._samples) > self.limit:
                del self._samples[1::2]
                self._stride *= 2
        self._offered += 1

    def samples(self) -> list[BacklogSample]:
        return list(self._samples)
