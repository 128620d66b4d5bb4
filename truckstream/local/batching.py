"""One shard's side of an event source mapping: which records go to the function next, and what its answer means.

As recorded on AWS (see the developer guide's pages on Kinesis event sources and batch failure reporting):

- A batch goes when it has BatchSize records, or its event has 6 MB, or the window since its first record is over.
- The lowest sequence number that the function reports is the checkpoint: everything before it is done, everything
  from it on comes again, as a batch of its own. Progress resets the count of retries.
- An identifier that is not in the batch, or any answer that is not understood, fails the whole batch.
- A batch is given up when it has failed more often than MaximumRetryAttempts, or its records are too old. Halving
  it (BisectBatchOnFunctionError) uses up no retry.

Nothing here waits or calls: `due` gives a batch or says when to ask again.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from truckstream.local.streams import Record

__all__ = ["Batch", "Discard", "MappingSettings", "ShardBatcher", "Verdict", "judge"]

#: "Lambda ... until the payload reaches 6 MB". A record takes its data in base64 and this much around it.
PAYLOAD_BYTES: Final = 6 * 1024 * 1024
ENVELOPE_BYTES: Final = 530

#: Seconds before a failed batch comes again: doubling to a minute.
RETRY_SECONDS: Final = (0.1, 60.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingSettings:
    """The mapping's options, with the service's names."""

    batch_size: int = 4_900
    maximum_batching_window_in_seconds: float = 5.0
    report_batch_item_failures: bool = True
    maximum_retry_attempts: int = -1
    maximum_record_age_in_seconds: float = -1
    bisect_batch_on_function_error: bool = False


@dataclass(slots=True, eq=False)
class Batch:
    """Records for one invocation, and how often they have failed."""

    records: list[Record]
    failures: int = 0
    not_before: float = -math.inf


@dataclass(frozen=True, slots=True)
class Discard:
    """A batch that is given up, and why, in the words of the failure document."""

    batch: Batch
    condition: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer means: records before `done` are processed; the rest failed, if there is a rest."""

    done: int
    function_error: bool = False


def judge(batch: Batch, answer: Any, *, report_batch_item_failures: bool) -> Verdict:
    """The meaning of what the function returned."""
    everything, nothing = Verdict(len(batch.records)), Verdict(0)
    if not report_batch_item_failures or answer is None or answer in ("", [], {}):
        return everything
    if not isinstance(answer, dict):
        return nothing
    items = answer.get("batchItemFailures")
    if not items:
        return everything
    positions = {str(record.sequence): index for index, record in enumerate(batch.records)}
    failed = [positions.get(str(item.get("itemIdentifier"))) if isinstance(item, dict) else None for item in items]
    return nothing if None in failed else Verdict(min(index for index in failed if index is not None))


@dataclass(slots=True)
class ShardBatcher:
    """Cuts one shard's records into batches and keeps its checkpoint."""

    settings: MappingSettings
    _fresh: deque[Record] = field(default_factory=deque)
    _fresh_since: float = math.inf
    _pending: deque[Batch] = field(default_factory=deque)

    @property
    def backlog(self) -> int:
        """Records that are read and not yet processed."""
        return len(self._fresh) + sum(len(batch.records) for batch in self._pending)

    def add(self, records: Iterable[Record], now: float) -> None:
        """Records that were read from the shard, in its order."""
        if not self._fresh:
            self._fresh_since = now
        self._fresh.extend(records)

    def due(self, now: float, *, flush: bool = False) -> Batch | float:
        """The next batch; or the time at which to ask again, which is never when there are no records."""
        if self._pending:
            batch = self._pending[0]
            return self._pending.popleft() if flush or batch.not_before <= now else batch.not_before
        if not self._fresh:
            return math.inf
        count, full = self._cut()
        window_ends = self._fresh_since + self.settings.maximum_batching_window_in_seconds
        if not (full or flush or window_ends <= now):
            return window_ends
        batch = Batch([self._fresh.popleft() for _ in range(count)])
        self._fresh_since = now if self._fresh else math.inf
        return batch

    def _cut(self) -> tuple[int, bool]:
        """How many records the next batch has, and whether it is full."""
        size = 0
        for count, record in enumerate(self._fresh):
            size += len(record.data) + len(record.key) + ENVELOPE_BYTES
            if count == self.settings.batch_size or (count and size > PAYLOAD_BYTES):
                return count, True
        return len(self._fresh), len(self._fresh) == self.settings.batch_size

    def on_answer(self, batch: Batch, verdict: Verdict, now: float) -> Discard | None:
        """Move the checkpoint, and keep what failed for another try or give it up."""
        rest = batch.records[verdict.done :]
        if not rest:
            return None
        failures = 1 if verdict.done == 0 else 0
        if verdict.done:
            self._pending.appendleft(Batch(rest, 0, now + RETRY_SECONDS[0]))
            return None
        if self.settings.bisect_batch_on_function_error and verdict.function_error and len(rest) > 1:
            middle = len(rest) // 2
            self._pending.extendleft([Batch(rest[middle:], batch.failures), Batch(rest[:middle], batch.failures)])
            return None
        failures = batch.failures + 1
        limit, age = self.settings.maximum_retry_attempts, self.settings.maximum_record_age_in_seconds
        if 0 <= limit < failures:
            return Discard(batch, "RetryAttemptsExhausted")
        if 0 <= age < now - rest[0].arrival:
            return Discard(batch, "RecordAgeExceeded")
        first, longest = RETRY_SECONDS
        self._pending.appendleft(Batch(rest, failures, now + min(longest, first * 2**failures)))
        return None
