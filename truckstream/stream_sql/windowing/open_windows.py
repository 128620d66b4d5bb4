"""Which records belong to which windows, and when a window is final. Holds no clock: `now` is an argument.

- A window is final when the watermark has passed its end. Its records are dropped once its answer was delivered, so
  that a step must be delivered before the next one.
- A record of a window that is final is late. It is counted; in hopping windows that are still open it counts fully.
- A record whose event time is more than `MAX_AHEAD` after its arrival comes from a clock that is wrong. Its window
  would stay open until that time, so it is set aside and counted.
- `resume_positions` are the positions from which a later run finds all records of the windows that are not final.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from truckstream.consumer.leases.lease import SHARD_END, Checkpoint
from truckstream.errors import UsageError
from truckstream.kinesis.limits import MIB
from truckstream.stream_sql.records.event_time import SECOND
from truckstream.stream_sql.windowing.pane import Pane
from truckstream.stream_sql.windowing.read_shard import ReadShard, order_of, position_of

if TYPE_CHECKING:
    from arro3 import core

    from truckstream.kinesis.reading.shard_record import ShardRecord
    from truckstream.stream_sql.records.columns import ColumnBuilder
    from truckstream.stream_sql.records.decoding import DecodedRecords
    from truckstream.stream_sql.windowing.window_plan import SqlWindowPlan
    from truckstream.windows import Watermark

__all__ = ["MAX_AHEAD", "BufferedWindows", "WindowRecords"]

#: Seconds that an event time may be after its record's arrival, or the watermark's `max_ahead` if that is more.
MAX_AHEAD: Final = 3600.0

#: How much more than its memory the shard that holds the watermark back may take, while the others wait.
MEMORY_SLACK: Final = 1.25

_NEVER: Final = -(2**63)


class WindowRecords(NamedTuple):
    """A window to ask, with its records at that moment: a record that comes later is not in its answer."""

    #: The start of the window.
    window: int
    #: Whether it became final. Otherwise it is open, and got records since the last step.
    is_final: bool
    batches: list[core.RecordBatch]


class BufferedWindows:
    """The records of the windows that are not final.

    Args:
        plan: the windows.
        watermark: the event time up to which records are expected to have come.
        columns: builds the batches.
        max_bytes: the memory that the records may take, over which shards that are ahead should wait.
        lateness: the watermark's `out_of_orderness`.
        max_ahead: the watermark's `max_ahead`.
        closed_before: windows that end up to this time were final in an earlier run.
    """

    def __init__(
        self,
        plan: SqlWindowPlan,
        watermark: Watermark,
        columns: ColumnBuilder,
        *,
        max_bytes: int,
        lateness: float = 0.0,
        max_ahead: float = 0.0,
        closed_before: int | None = None,
    ) -> None:
        self.plan = plan
        self._watermark = watermark
        self._columns = columns
        self._max_bytes = max_bytes
        self._lateness = lateness
        self._max_ahead = max_ahead
        self._set_aside_after = max(MAX_AHEAD, max_ahead)
        self._panes: dict[int, Pane] = {}
        #: The windows that have records and were not delivered as final.
        self._windows: set[int] = set()
        self._changed_panes: set[int] = set()
        #: All windows that end at or before this time are final.
        self.closed_before = _NEVER if closed_before is None else closed_before
        #: The watermark in seconds since the epoch, as of the last step.
        self.reached = -math.inf
        self._shards: dict[str, ReadShard] = {}
        self.late = 0
        self.ahead = 0

    # --- Shards -----------------------------------------------------------------------------------

    def add_shard(
        self, shard_id: str, start: Checkpoint, now: float, *, replayed_up_to: Checkpoint | None = None
    ) -> None:
        """Begin with a shard, behind the record `start`.

        Records up to `replayed_up_to` were read by an earlier run, which has counted those that are late.
        """
        self._watermark.add(shard_id, now)
        self._shards[shard_id] = ReadShard(start, replayed_up_to)

    def end_shard(self, shard_id: str) -> None:
        """Note that the shard was read to its end. It holds the watermark back until `release_shard`."""
        self._shards[shard_id].is_ended = True

    def release_shard(self, shard_id: str) -> None:
        """Let the watermark go on without a shard that has ended: the shards that follow it are being read."""
        self._watermark.remove(shard_id)

    def has_ended(self, shard_id: str) -> bool:
        """Whether the shard was read to its end."""
        return shard_id in self._shards and self._shards[shard_id].is_ended

    def reach_tip(self, shard_id: str, now: float) -> None:
        """Note that the shard has no more records at `now`."""
        self._watermark.reach_tip(shard_id, now)

    # --- Records ----------------------------------------------------------------------------------

    def add(self, shard_id: str, decoded: DecodedRecords, last: Checkpoint, now: float) -> None:
        """Add consecutive records of a shard to their windows; `last` is the position of the last one that was read."""
        shard = self._shards[shard_id]
        if decoded.records:
            self._observe(shard_id, decoded, now)
            self._add(shard_id, shard, decoded)
        shard.position = last
        if shard.replayed_up_to is not None and order_of(last) >= order_of(shard.replayed_up_to):
            shard.replayed_up_to = None

    def _observe(self, shard_id: str, decoded: DecodedRecords, now: float) -> None:
        """Pass the greatest event time on to the watermark: the one that counts, less what its clock is ahead."""
        limit = self._max_ahead
        pairs = zip(decoded.times, decoded.records, strict=True)
        time, arrival = max((min(time / SECOND, each.arrival + limit), each.arrival) for time, each in pairs)
        self._watermark.observe(shard_id, time, arrival, now)
        shard = self._shards[shard_id]
        shard.reached = max(shard.reached, time)

    def _add(self, shard_id: str, shard: ReadShard, decoded: DecodedRecords) -> None:
        slide, set_aside_after = self.plan.slide, self._set_aside_after
        start, pane, is_late = _NEVER, None, False
        previous: ShardRecord | None = None
        for record, value, time in zip(decoded.records, decoded.values, decoded.times, strict=True):
            if time / SECOND - record.arrival > set_aside_after:
                self.ahead += 1
            else:
                if not start <= time < start + slide:
                    start = self.plan.pane_at(time)
                    pane = self._pane_of(start)
                    is_late = start + slide <= self.closed_before
                if is_late and not shard.replays(record):
                    self.late += 1
                if pane is not None:
                    pane.add(value, record)
                    if shard_id not in pane.resume:
                        pane.resume[shard_id] = shard.position if previous is None else position_of(previous)
            previous = record

    def _pane_of(self, start: int) -> Pane | None:
        """Return a pane that changes now; None if all of its windows are final."""
        windows = [each for each in self.plan.windows_of(start) if self.plan.end_of(each) > self.closed_before]
        if not windows:
            return None
        self._windows.update(windows)
        self._changed_panes.add(start)
        return self._panes.setdefault(start, Pane(self._columns))

    # --- Steps ------------------------------------------------------------------------------------

    def step(self, now: float, *, with_changed: bool) -> list[WindowRecords]:
        """Return the windows that became final, and with `with_changed` those that are open and changed, in order."""
        self.reached = self._watermark.advance(now)
        if math.isfinite(self.reached):
            self.closed_before = max(self.closed_before, round(self.reached * SECOND))
        changed = {window for pane in self._changed_panes for window in self.plan.windows_of(pane)}
        self._changed_panes.clear()
        asked = []
        for window in sorted(self._windows):
            is_final = self.plan.end_of(window) <= self.closed_before
            if is_final or (with_changed and window in changed):
                panes = [self._panes[each] for each in self.plan.panes_of(window) if each in self._panes]
                asked.append(WindowRecords(window, is_final, [batch for pane in panes for batch in pane.batches()]))
        return asked

    def delivered(self, window: int) -> None:
        """Drop a final window whose answer was delivered, and the records that no other window needs."""
        self._windows.discard(window)
        for start in self.plan.panes_of(window):
            if start in self._panes and self._windows.isdisjoint(self.plan.windows_of(start)):
                del self._panes[start]

    @property
    def _undelivered(self) -> list[int]:
        """The final windows that were not delivered yet."""
        return [each for each in self._windows if self.plan.end_of(each) <= self.closed_before]

    # --- Memory, and the way on after a restart -----------------------------------------------------

    @property
    def delivered_before(self) -> int | None:
        """The time up to which all windows that end are final and delivered; None if no window can be."""
        waiting = self._undelivered
        time = self.plan.end_of(min(waiting)) - self.plan.slide if waiting else self.closed_before
        return time if time > _NEVER else None

    @property
    def records(self) -> int:
        """The number of records in memory."""
        return sum(pane.count for pane in self._panes.values())

    @property
    def windows(self) -> int:
        """The number of windows with records."""
        return len(self._windows)

    @property
    def size(self) -> int:
        """The bytes of memory that the records take, roughly."""
        return sum(pane.size for pane in self._panes.values())

    def is_ahead(self, shard_id: str) -> bool:
        """Return whether other shards hold the watermark back."""
        return self._shards[shard_id].reached - self._lateness > self.reached

    def must_wait(self, shard_id: str, now: float) -> bool:
        """Return whether the memory is full, and the shard should wait, because others hold the watermark back.

        A shard that holds it back must go on: the windows end only with its records. One that waits is not stuck, until
        this returns False and nothing of it is read for the watermark's `idle_after`.

        Raises:
            UsageError: it holds the watermark back, and its windows do not fit into the memory.
        """
        waits = self._must_wait(shard_id)
        if waits:
            self._watermark.wait(shard_id)
        else:
            self._watermark.end_wait(shard_id, now)
        return waits

    def _must_wait(self, shard_id: str) -> bool:
        size = self.size
        if size < self._max_bytes:
            return False
        if self.is_ahead(shard_id):
            return True
        if self._undelivered:  # windows that are about to free memory
            return True
        if size < self._max_bytes * MEMORY_SLACK:
            return False
        raise UsageError(
            f"the {len(self._windows):,} open windows have {self.records:,} records of {size / MIB:,.0f} MiB, and the "
            f"memory for them is {self._max_bytes / MIB:,.0f} MiB: take a shorter window or lateness, read fewer "
            "columns, or allow more memory. `truckstream query` on stored objects has no such limit"
        )

    @property
    def resume_positions(self) -> dict[str, Checkpoint]:
        """The position of each shard behind which all records of the windows with records are."""
        found = {
            shard_id: Checkpoint(SHARD_END) if shard.is_ended else shard.position
            for shard_id, shard in self._shards.items()
        }
        for start in sorted(self._panes):
            for shard_id, position in self._panes[start].resume.items():
                if order_of(position) < order_of(found[shard_id]):
                    found[shard_id] = position
        return found

    @property
    def read_positions(self) -> dict[str, Checkpoint]:
        """The last record that was read of each shard."""
        return {shard_id: shard.position for shard_id, shard in self._shards.items()}
