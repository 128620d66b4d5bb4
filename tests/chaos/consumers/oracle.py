"""What must hold for the work of all workers together, checked by replaying their logs in the order of time.

- Each record that was put is processed.
- A batch has no gap, and when it begins, all earlier records of its shard are processed, and all of the parent shards.
  So the records of a key are processed in the order in which they were put.
- No batch begins after a checkpoint that covers it was acknowledged, and no checkpoint is written before the records
  that it covers are processed.
- Two tenures of a shard never overlap, and nothing is delivered without a lease.
- A record comes again only in another tenure, after one that did not end as planned: its worker was killed, was frozen,
  or lost the lease. What comes again was processed within one duration of a lease before that tenure's last delivery:
  every renewal writes the last checkpoint.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tests.chaos.consumers.work_log import Event


@dataclass
class StoredStream:
    """The records of a stream by their numbers, which are those of the order in which they were put."""

    #: The numbers of each shard, in order.
    numbers: dict[str, list[int]]
    parents: Mapping[str, Sequence[str]]
    #: Each record's key.
    keys: dict[int, str]
    #: How many records a checkpoint covers, by shard and sequence number.
    covered: dict[tuple[str, str], int]

    def records_before(self, shard: str, checkpoint: str) -> int:
        if checkpoint == "SHARD_END":
            return len(self.numbers[shard])
        return 0 if checkpoint == "TRIM_HORIZON" else self.covered[shard, checkpoint]


@dataclass
class ObservedTenure:
    worker: str
    taken_at: float
    #: The place after the last record that was delivered, and when that was.
    next_place: int
    last_delivery_at: float
    has_ended_as_planned: bool = False
    is_lost: bool = False
    #: When each place was processed.
    processed_at: dict[int, float] = field(default_factory=dict)
    begun: set[int] = field(default_factory=set)


class Oracle:
    """Replays the events.

    Args:
        stream: what was put.
        lease_duration: in seconds.
        trouble: returns "killed" or "frozen" if that happened to a worker between two times.
    """

    def __init__(
        self, stream: StoredStream, lease_duration: float, trouble: Callable[[str, float, float], str | None]
    ) -> None:
        self._stream = stream
        self._lease_duration = lease_duration
        self._trouble = trouble
        self._places = {number: place for found in stream.numbers.values() for place, number in enumerate(found)}
        self._tenures: defaultdict[str, list[ObservedTenure]] = defaultdict(list)
        self._processed: defaultdict[str, set[int]] = defaultdict(set)
        #: For each shard the number of records before the first one that is not processed.
        self._complete: Counter[str] = Counter()
        self._acknowledged: Counter[str] = Counter()
        self._last_of_key: dict[str, int] = {}
        #: What happened, and the records that came again by the reason.
        self.counts: Counter[str] = Counter()

    def replay(self, events: Iterable[Event]) -> Counter[str]:
        """Check all events, and that they leave nothing to do; return how often each kind of thing happened."""
        for event in sorted(events, key=lambda event: event.at):
            self.counts[event.kind] += 1
            try:
                if check := getattr(self, f"_{event.kind}", None):
                    check(event)
            except AssertionError as error:
                event.numbers = event.numbers[:3]
                error.add_note(f"{event}")
                raise
        for shard, tenures in self._tenures.items():
            self._check_repetitions(shard, tenures)
        left = {shard: self._left(shard) for shard in self._stream.numbers if self._left(shard)}
        assert not left, f"records that were not processed: {left}"
        return self.counts

    def _left(self, shard: str) -> int:
        return len(self._stream.numbers[shard]) - self._complete[shard]

    # --- Events -----------------------------------------------------------------------------------

    def _failed(self, event: Event) -> None:
        raise AssertionError(f"{event.worker} failed: {event.error}")

    def _taken(self, event: Event) -> None:
        start = self._stream.records_before(event.shard, event.checkpoint)
        self._tenures[event.shard].append(ObservedTenure(event.worker, event.at, start, event.at))

    def _began(self, event: Event) -> None:
        shard = event.shard
        places = [self._places[number] for number in event.numbers]
        first = places[0]
        assert event.is_held, "delivered although the lease was over"
        tenure = self._tenures[shard][-1]
        assert tenure.worker == event.worker, f"delivered during the tenure of {tenure.worker}"
        assert self._stream.numbers[shard][first : first + len(places)] == event.numbers, "the batch has a gap"
        assert first == tenure.next_place, f"the tenure goes on at {first} instead of {tenure.next_place}"
        assert first <= self._complete[shard], f"record {self._complete[shard]} of the shard is skipped"
        assert first >= self._acknowledged[shard], f"a checkpoint at {self._acknowledged[shard]} was acknowledged"
        for parent in self._stream.parents[shard]:
            assert not self._left(parent), f"{self._left(parent)} records of {parent} are not processed"
        tenure.next_place = places[-1] + 1
        tenure.last_delivery_at = event.at
        tenure.begun.update(places)

    def _ended(self, event: Event) -> None:
        tenure = self._tenures[event.shard][-1]
        assert tenure.worker == event.worker, f"processed during the tenure of {tenure.worker}"
        processed = self._processed[event.shard]
        for number in event.numbers:
            place = self._places[number]
            tenure.processed_at[place] = event.at
            if place not in processed:
                processed.add(place)
                self._check_key(number)
        while self._complete[event.shard] in processed:
            self._complete[event.shard] += 1

    def _saving(self, event: Event) -> None:
        covered = self._stream.records_before(event.shard, event.checkpoint)
        complete = self._complete[event.shard]
        assert covered <= complete, f"the checkpoint at {covered} is ahead of the work at {complete}"

    def _saved(self, event: Event) -> None:
        covered = self._stream.records_before(event.shard, event.checkpoint)
        self._acknowledged[event.shard] = max(self._acknowledged[event.shard], covered)

    def _released(self, event: Event) -> None:
        self._last_tenure(event).has_ended_as_planned = True

    def _lost(self, event: Event) -> None:
        self._last_tenure(event).is_lost = True

    # --- Parts of the checks ------------------------------------------------------------------------

    def _last_tenure(self, event: Event) -> ObservedTenure:
        return next(tenure for tenure in reversed(self._tenures[event.shard]) if tenure.worker == event.worker)

    def _check_key(self, number: int) -> None:
        key = self._stream.keys[number]
        last = self._last_of_key.get(key, -1)
        assert number > last, f"record {number} of {key} is processed after its record {last}"
        self._last_of_key[key] = number

    def _check_repetitions(self, shard: str, tenures: list[ObservedTenure]) -> None:
        """Check what came again, after the replay: a worker may log the end of a tenure after the next one's start."""
        for later_index, later in enumerate(tenures):
            for earlier in tenures[:later_index]:
                if again := earlier.begun & later.begun:
                    where = f"{len(again)} records of {shard} came again to {later.worker}"
                    self._check_repetition(earlier, later, again, where)

    def _check_repetition(self, earlier: ObservedTenure, later: ObservedTenure, again: set[int], where: str) -> None:
        assert not earlier.has_ended_as_planned, f"{where} after {earlier.worker} had given it up as planned"
        reason = self._trouble(earlier.worker, earlier.taken_at, later.taken_at)
        if reason is None:
            assert earlier.is_lost, f"{where}, and {earlier.worker} has not noticed that it lost the lease"
            reason = "lost its lease"
        self.counts[f"came again: {reason}"] += len(again)
        oldest = min((earlier.processed_at[place] for place in again if place in earlier.processed_at), default=None)
        if oldest is not None:
            # Twice, because a loop says that a batch is finished only when it asks for the next one.
            age = earlier.last_delivery_at - oldest
            assert age < 2 * self._lease_duration, f"{where}, which {earlier.worker} processed {age} s before"
