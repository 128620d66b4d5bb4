"""Put lines through a producer, count them, and report each line that was not stored with its number."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from truckstream.errors import TruckstreamError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from truckstream.commands.stream.lines.line_splitter import Line
    from truckstream.commands.stream.lines.partition_key import KeyRule
    from truckstream.producer.outcomes.delivery import Delivery
    from truckstream.producer.stats import ProducerStats

__all__ = ["LineDelivery", "PutResult"]

#: Deliveries between two looks for those that are done. The producer's buffer bounds how many are not.
_DELIVERIES_PER_LOOK: Final = 5_000


class _Producer(Protocol):
    @property
    def stats(self) -> ProducerStats: ...

    async def put(self, data: bytes, partition_key: str) -> Delivery: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PutResult:
    """The result of `truckstream put`. Counts are of lines; blank lines are skipped and count only in `lines`."""

    stream: str
    #: Lines read, the blank ones included.
    lines: int
    #: Lines that the producer accepted.
    put: int
    acknowledged: int
    #: Lines that were put and not acknowledged.
    failed: int
    #: Lines that were not put, because they break a rule.
    refused: int
    #: Acknowledged lines that the stream may hold twice, and failed ones that it may hold all the same.
    maybe_duplicates: int
    #: Sends that a shard throttled; each was sent again.
    throttled: int
    #: Bytes acknowledged, partition keys included.
    bytes: int
    seconds: float
    #: Lines acknowledged by each shard.
    shards: dict[str, int]

    @property
    def ok(self) -> bool:
        """Whether every line is stored."""
        return self.failed == 0 and self.refused == 0

    def __str__(self) -> str:
        rate = self.acknowledged / max(self.seconds, 0.001)
        return (
            f"{self.seconds:.1f} s: {self.lines:,} lines, {self.put:,} put, {self.acknowledged:,} acknowledged "
            f"({rate:,.0f}/s), {self.failed:,} failed, {self.refused:,} refused"
        )


@dataclass(slots=True)
class LineDelivery:
    """The lines of one run.

    Args:
        producer: takes the records.
        key_of: the rule for partition keys.
        report: called with a text for each line that is not stored.
    """

    producer: _Producer
    key_of: KeyRule
    report: Callable[[str], Any]
    lines: int = 0
    refused: int = 0
    #: Deliveries that were not looked at since they were put, or that were not done then.
    _pending: list[tuple[int, Delivery]] = field(default_factory=list)
    _look_at: int = _DELIVERIES_PER_LOOK

    async def put(self, line: Line) -> None:
        """Put one line; waits for room in the producer's buffer."""
        self.lines += 1
        data = line.data
        if data is not None and not data.strip():
            return
        try:
            if data is None:
                raise UsageError(f"the line has {line.size:,} bytes, more than any stream takes")  # noqa: TRY301
            delivery = await self.producer.put(data, self.key_of(data))
        except UsageError as error:
            self._refuse(line.number, str(error))
            return
        self._pending.append((line.number, delivery))
        if len(self._pending) >= self._look_at:
            self.report_failures()
            self._look_at = 2 * len(self._pending) + _DELIVERIES_PER_LOOK

    def cut_off(self, line: Line) -> None:
        """Count and report a line that the input had begun when it was stopped: half a line is not put."""
        self.lines += 1
        self._refuse(line.number, "the line had no end yet when the command was stopped")

    def _refuse(self, number: int, problem: str) -> None:
        self.refused += 1
        self.report(f"line {number:,}: {problem}")

    def report_failures(self) -> None:
        """Report the lines that have failed since the last call, and forget all that are done."""
        pending, self._pending = self._pending, []
        for number, delivery in pending:
            if not delivery.done():
                self._pending.append((number, delivery))
                continue
            try:
                delivery.result()
            except TruckstreamError as error:
                stored = ", and may be stored nevertheless" if error.may_be_stored else ""
                self.report(f"line {number:,}: not acknowledged{stored}: {error}")

    def result(self, stream: str, seconds: float) -> PutResult:
        """Return the counts so far."""
        stats = self.producer.stats
        known = {name: shard for name, shard in stats.shards.items() if name is not None}
        return PutResult(
            stream=stream,
            lines=self.lines,
            put=stats.put,
            acknowledged=stats.acked,
            failed=stats.failed,
            refused=self.refused,
            maybe_duplicates=stats.maybe_duplicates,
            throttled=stats.throttled,
            bytes=stats.acked_bytes,
            seconds=seconds,
            shards={name: shard.acked for name, shard in sorted(known.items()) if shard.acked},
        )
