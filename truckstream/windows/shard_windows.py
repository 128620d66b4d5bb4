"""The windows of one shard: records in, results out, and the state as bytes.

Everything about a record is decided by the records of its shard up to it. Only the moment of a result depends on the
clock (`contents/open_windows.py`). So a reader that goes on from a state makes the same results again, with the same
revisions, as one that was killed after that state; and a sink that keeps the highest revision has each result once.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import msgspec

from truckstream.errors import InvalidArgumentError, UsageError, WindowsFullError
from truckstream.windows.aggregates.aggregate import value_getter
from truckstream.windows.contents.fixed_windows import FixedWindows
from truckstream.windows.contents.group import Columns, GroupOrigin, WindowGroup
from truckstream.windows.contents.open_windows import BEFORE_ALL, RecordOutcome
from truckstream.windows.contents.session_windows import SessionWindows
from truckstream.windows.event_time import read_time
from truckstream.windows.kinds import MICROS, Session, Sliding, micros
from truckstream.windows.state.group_states import groups_of, states_of
from truckstream.windows.state.shard_state import ShardState, decode_state, encode_state
from truckstream.windows.watermark import Watermark

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from truckstream.kinesis.reading.shard_record import ShardRecord
    from truckstream.windows.contents.open_windows import OpenWindows
    from truckstream.windows.plan import WindowPlan
    from truckstream.windows.result import Key, WindowResult
    from truckstream.windows.state.resharding import HashRange

__all__ = ["DROP_REASONS", "ShardWindows"]

#: Why a record is in no result.
DROP_REASONS: Final = {
    "invalid": "the bytes are no record: `decode` refused them",
    "no_time": "the event time is no time",
    "ahead": "the event time is more than max_ahead after the record's arrival",
    "too_late": "the windows ended more than allowed_lateness ago",
    "full": 'there are max_groups groups, with when_full="drop"',
}

#: Errors of `decode` and of `event_time` that mean a record, not a defect.
_INVALID: Final = (ValueError, LookupError, msgspec.DecodeError)
_NO_TIME: Final = (TypeError, ValueError, OverflowError)

#: Records that wait to be added to their aggregates, over all groups. More would only take memory.
_MAX_WAITING: Final = 20_000
_MAX_TIMES: Final = 4_096


class ShardWindows:
    """The windows of one shard.

    Call `add` with the shard's records in their order, or `reach_tip` when there are no more for now; write the results
    of `take_results`; then a `snapshot` goes with the checkpoint of the last record.

    Args:
        plan: the windows.
        part: the shard's name in the results, unique among all shards whose results go to one sink.
        hash_range: the shard's hash keys, both ends included; None if they are not known.
        now: seconds since the epoch.
    """

    def __init__(self, plan: WindowPlan, part: str, *, hash_range: HashRange | None = None, now: float) -> None:
        self._plan = plan
        self._part = part
        self._hash_range = hash_range
        self._columns = Columns(plan.aggregates)
        self._get_key = value_getter(plan.key)
        self._get_time = value_getter(plan.event_time)
        #: Times that were parsed, by their values in the records.
        self._times: dict[Any, int] = {}
        self._contents = self._new_contents()
        #: The greatest event time in microseconds, and the arrival of its record in seconds.
        self._event_time = BEFORE_ALL
        self._arrival = 0.0
        self._out_of_orderness = micros(plan.out_of_orderness)
        self._max_ahead = micros(plan.max_ahead) if plan.has_clock else 0
        bound = 0.0 if plan.has_clock else math.inf
        self._clock = Watermark(out_of_orderness=plan.out_of_orderness, max_ahead=bound)
        self._clock.add(part, now)
        self._groups = 0
        self._waiting = 0
        self._has_untaken = False
        #: The number of records that were added, and of those that were late; those that were dropped, by reason.
        self.records = 0
        self.late = 0
        self.dropped: Counter[str] = Counter()

    def _new_contents(self) -> OpenWindows:
        window, lateness = self._plan.window, micros(self._plan.allowed_lateness)
        if isinstance(window, Session):
            return SessionWindows(micros(window.gap), lateness, self._columns, self._new_group)
        step = window.every if isinstance(window, Sliding) else window.size
        return FixedWindows(micros(window.size), micros(step), lateness, self._columns, self._new_group)

    # --- Records ------------------------------------------------------------------------------------

    @property
    def watermark(self) -> float | None:
        """The event time up to which all records are expected to have come, by the records alone; None before one."""
        return None if self._event_time == BEFORE_ALL else self._watermark / MICROS

    @property
    def _watermark(self) -> int:
        return self._event_time - self._out_of_orderness if self._event_time > BEFORE_ALL else BEFORE_ALL

    def add(self, records: Sequence[ShardRecord], now: float) -> None:
        """Add the next records of the shard, which were read at `now`.

        Raises:
            WindowsFullError: there are `max_groups` groups, and `when_full` is "raise".
            InvalidArgumentError: a key is none.
        """
        # This loop runs for each record. A record of a group in a window that is open is added here; `put` decides
        # about the others. With a call of `put` for each record it takes 3.7 µs a record instead of 2.2 (Python 3.11).
        decode, get_time, times, get_key = self._plan.decode, self._get_time, self._times, self._get_key
        put, dropped, late = self._contents.put, self.dropped, 0
        step, open_windows = self._contents.step, self._contents.open
        greatest = self._event_time
        self._has_untaken = True
        for record in records:
            try:
                event = decode(record.data)
            except _INVALID:
                dropped["invalid"] += 1
                continue
            value = get_time(event)
            try:
                time = times[value] if value in times else self._parse_time(value)
            except _NO_TIME:
                dropped["no_time"] += 1
                continue
            if time > greatest:
                if not self._note_time(time, record.arrival):
                    dropped["ahead"] += 1
                    continue
                greatest = self._event_time
            key = get_key(event)
            window = open_windows.get(time - time % step)
            if window is not None and key in window:
                window[key].events.append(event)
                continue
            outcome = put(key, time, event, record, self._watermark)
            if outcome is RecordOutcome.LATE:
                late += 1
            elif outcome is not RecordOutcome.IN_TIME:
                dropped[outcome.value] += 1
        self.records += len(records)
        self.late += late
        self._observe(now)
        self._waiting += len(records)
        if self._waiting > _MAX_WAITING:
            self._aggregate()

    def reach_tip(self, now: float) -> None:
        """Note that there are no more records at `now`, so that windows end by the clock."""
        self._clock.reach_tip(self._part, now)
        self._has_untaken = True

    def _parse_time(self, value: Any) -> int:
        # The trucks of a fleet report at the same seconds, so that most times come again.
        if len(self._times) >= _MAX_TIMES:
            self._times.clear()
        time = self._times[value] = read_time(value)
        return time

    def _note_time(self, time: int, arrival: float) -> bool:
        """Note a time that is greater than all before; return False if its clock must be wrong."""
        if self._plan.has_clock:
            bound = int(arrival * MICROS)
            if time > bound + self._max_ahead:
                return False
            time = min(time, bound)
        if time > self._event_time:
            self._event_time, self._arrival = time, arrival
            self._contents.close(self._watermark)
        return True

    def _observe(self, now: float) -> None:
        if self._event_time > BEFORE_ALL:
            self._clock.observe(self._part, self._event_time / MICROS, self._arrival, now)

    def _aggregate(self) -> None:
        for group in self._contents:
            group.aggregate(self._columns)
        self._waiting = 0

    def _new_group(self, key: Key, start: int, end: int, record: ShardRecord) -> WindowGroup | None:
        if self._groups >= self._plan.max_groups:
            # The number of groups that can still change follows from the records alone, that in memory does not.
            self._contents.emit(self._watermark, self._watermark)
            self._groups = self.groups
            if self._groups >= self._plan.max_groups:
                if self._plan.when_full == "drop":
                    return None
                raise WindowsFullError(self._part, self._plan.max_groups)
        _check_key(key)
        self._groups += 1
        origin = GroupOrigin(self._part, record.partition_key, record.explicit_hash_key)
        return WindowGroup(key, start, end, origin, self._columns.new())

    # --- Results ------------------------------------------------------------------------------------

    def take_results(self, now: float) -> list[WindowResult]:
        """Return the results that are due at `now`, each once, in the order of the windows."""
        watermark = self._watermark
        if self._event_time > BEFORE_ALL:
            self._contents.emit(max(watermark, micros(self._clock.advance(now))), watermark)
        self._has_untaken = False
        return self._contents.take_results()

    @property
    def groups(self) -> int:
        """The number of pairs of a key and a window in memory."""
        return sum(1 for _ in self._contents)

    # --- State --------------------------------------------------------------------------------------

    def snapshot(self) -> bytes:
        """Return the state after the records that were added.

        Raises:
            UsageError: results were not taken since the last records, and would be lost.
        """
        if self._has_untaken:
            raise UsageError("call take_results, and write the results, before snapshot: it does not contain them")
        self._aggregate()
        groups, parts = states_of(self._contents)
        state = ShardState(
            plan=self._plan.identity,
            hash_range=None if self._hash_range is None else (str(self._hash_range[0]), str(self._hash_range[1])),
            event_time=None if self._event_time == BEFORE_ALL else self._event_time,
            arrival=self._arrival,
            parts=parts,
            groups=groups,
        )
        return encode_state(state)

    def restore(self, state: bytes, now: float) -> None:
        """Go on from a state of this shard, before the first record.

        Raises:
            WindowStateError: the state has another version, or belongs to other windows.
        """
        self._take_over([decode_state(state, self._plan.identity)], now)

    def inherit(self, states: Iterable[bytes], now: float) -> None:
        """Go on from the last states of the shard's parents, before the first record.

        Raises as `restore` does.
        """
        self._take_over([decode_state(state, self._plan.identity) for state in states], now)

    def _take_over(self, states: list[ShardState], now: float) -> None:
        known = [state for state in states if state.event_time is not None]
        if not known:
            return
        # With two parents the one that is behind decides, so that none of its trucks is late.
        behind = min(known, key=lambda state: state.event_time or 0)
        assert behind.event_time is not None  # noqa: S101 - see `known`
        self._event_time, self._arrival = behind.event_time, behind.arrival
        groups = [group for state in known for group in groups_of(state, self._columns, self._hash_range)]
        self._contents.restore(groups, self._watermark)
        self._groups = self.groups
        self._has_untaken = True
        self._observe(now)

    def __repr__(self) -> str:
        return f"<ShardWindows of {self._part}: {self.groups} groups, watermark {self.watermark}>"


def _check_key(key: Key) -> None:
    if isinstance(key, str):
        return
    parts: Any = key if isinstance(key, tuple) else (key,)
    if not all(each is None or isinstance(each, str | int | float) for each in parts):
        raise InvalidArgumentError("key", key, "must be a text, a number, None, or a tuple of these")
