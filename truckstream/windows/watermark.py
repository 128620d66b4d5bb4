"""The watermark: the event time up to which the records of a stream are expected to have come.

The terms are those of Flink and Beam. Event time is when a truck measured, arrival is when Kinesis stored the record.
The watermark of a shard is its greatest event time less `out_of_orderness`. The watermark of several shards is the
least of theirs. Four rules keep it honest:

1. It never goes back. A shard that is added later with older records does not reopen a window; its records are late.
2. An event time after the record's arrival counts as the arrival. Nothing is measured after it was stored, so such a
   truck's clock is wrong, and without the rule one of them would make the records of all others late. With it, no clock
   can make a record late that arrived within `out_of_orderness`.
3. A shard that is read to its tip goes on with the time, as far behind it as its newest record was. So the last window
   of a fleet that falls silent ends, and a shard with few trucks holds nothing back.
4. A shard of which nothing was read for `idle_after`, neither a record nor its tip, does not count: its reader may be
   stuck. When it goes on, its records may be late. If that is so of all shards, they all count. A shard whose reader
   waits until its records can be taken is not stuck.

All times are seconds since the epoch.
"""

from __future__ import annotations

import math
from typing import Final

from truckstream.checks import check_number
from truckstream.errors import InvalidArgumentError

__all__ = ["Watermark"]

_NEVER: Final = -math.inf


class _Shard:
    """The facts known of one shard."""

    __slots__ = ("arrival", "event_time", "read_at", "tip_at", "waited_until", "waits")

    def __init__(self, now: float) -> None:
        #: The greatest event time, and the arrival of its record.
        self.event_time = _NEVER
        self.arrival = _NEVER
        #: When the last record was read, and when the shard was last seen without more records.
        self.read_at = now
        self.tip_at = _NEVER
        #: Whether its reader waits until its records can be taken, and when the last such wait ended.
        self.waits = False
        self.waited_until = _NEVER

    @property
    def is_empty(self) -> bool:
        """Whether it was read to its tip without a record, so that it says nothing about event times."""
        return self.is_at_tip and self.event_time == _NEVER

    @property
    def is_at_tip(self) -> bool:
        return self.tip_at >= self.read_at

    def is_stuck(self, now: float, idle_after: float) -> bool:
        return not self.waits and now - max(self.read_at, self.tip_at, self.waited_until) >= idle_after

    @property
    def reached(self) -> float:
        """The event time that the shard has reached."""
        return self.event_time + max(0.0, self.tip_at - self.arrival) if self.is_at_tip else self.event_time


class Watermark:
    """The watermark of all shards that one process reads, or of one shard.

    Args:
        out_of_orderness: seconds that a record may come after newer ones without being late.
        idle_after: seconds after which a shard of which nothing is read no longer holds the watermark back.
        max_ahead: seconds that an event time may be after its record's arrival. `math.inf` is for simulated times that
            have nothing to do with the clock.

    Raises:
        InvalidArgumentError: an option is out of range.
    """

    def __init__(self, *, out_of_orderness: float = 5.0, idle_after: float = 30.0, max_ahead: float = 0.0) -> None:
        check_number("out_of_orderness", out_of_orderness, 0)
        check_number("idle_after", idle_after, 0)
        check_number("max_ahead", max_ahead, 0)
        self._out_of_orderness = out_of_orderness
        self._idle_after = idle_after
        self._max_ahead = max_ahead
        self._shards: dict[str, _Shard] = {}
        self._value = _NEVER

    def add(self, shard_id: str, now: float) -> None:
        """Begin with a shard. It holds the watermark back until its first record, its tip, or `idle_after`.

        Adding a shard again, when its lease comes back, begins it anew.
        """
        self._shards[shard_id] = _Shard(now)

    def remove(self, shard_id: str) -> None:
        """End a shard: it was read to its end, or its lease is gone. One that was not added is ignored."""
        self._shards.pop(shard_id, None)

    def observe(self, shard_id: str, event_time: float, arrival: float, now: float) -> None:
        """Note a record that was read at `now`. Records may come in any order.

        Raises:
            InvalidArgumentError: `event_time` is no finite number, or the shard was not added.
        """
        if not math.isfinite(event_time):
            raise InvalidArgumentError("event_time", event_time, "must be a finite number of seconds since the epoch")
        shard = self._shard(shard_id)
        shard.read_at = now
        event_time = min(event_time, arrival + self._max_ahead)
        if event_time > shard.event_time:
            shard.event_time, shard.arrival = event_time, arrival

    def reach_tip(self, shard_id: str, now: float) -> None:
        """Note that the shard has no more records at `now`: MillisBehindLatest is 0.

        Raises:
            InvalidArgumentError: the shard was not added.
        """
        self._shard(shard_id).tip_at = now

    def wait(self, shard_id: str) -> None:
        """Note that the shard's reader waits from now on, until its records can be taken.

        Raises:
            InvalidArgumentError: the shard was not added.
        """
        self._shard(shard_id).waits = True

    def end_wait(self, shard_id: str, now: float) -> None:
        """Note that the shard's reader goes on at `now`, if it waited.

        Raises:
            InvalidArgumentError: the shard was not added.
        """
        shard = self._shard(shard_id)
        if shard.waits:
            shard.waits, shard.waited_until = False, now

    def advance(self, now: float) -> float:
        """Return the watermark at `now`; minus infinity before it is known."""
        known = [shard for shard in self._shards.values() if not shard.is_empty]
        counted = [shard for shard in known if not shard.is_stuck(now, self._idle_after)] or known
        if counted:
            self._value = max(self._value, min(shard.reached for shard in counted) - self._out_of_orderness)
        return self._value

    def _shard(self, shard_id: str) -> _Shard:
        if shard_id not in self._shards:
            raise InvalidArgumentError("shard_id", shard_id, "must be a shard that was added: call add first")
        return self._shards[shard_id]

    def __repr__(self) -> str:
        return f"<Watermark {self._value} of {len(self._shards)} shards>"
