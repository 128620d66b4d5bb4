"""The evaluator: the reports of one shard in, beginnings and ends of incidents out.

Two clocks count here. Holds and the times of incidents are event times, which the trucks write. Silence is measured by
arrivals, which the service writes: a truck is silent when its last report arrived `hold` seconds before the watermark,
the time up to which all arrivals of the shard have been seen. The watermark is the arrival of the newest report, or the
present at the tip of the shard. So a reader that is behind finds no silence that was not there, a truck with a wrong
clock silences no other, and a truck that sends old reports late is not silent.

Each report moves the watermark before it is evaluated. The incidents follow from the order of the reports alone:
batches, repetitions and restarts change nothing. One evaluator takes one shard, because the arrivals of another are no
order with its own.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from math import inf
from typing import TYPE_CHECKING

from truckstream.alerts.alert_event import AlertEvent, incident_id, iso_time
from truckstream.alerts.evaluation.snapshot import Snapshot, read_snapshot
from truckstream.alerts.evaluation.truck_state import TruckState
from truckstream.alerts.rules.durations import duration_text
from truckstream.alerts.rules.rule import SilenceRule, Verdict
from truckstream.errors import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from truckstream.alerts.evaluation.incident_track import IncidentTrack, Transition
    from truckstream.alerts.evaluation.report import TruckReport
    from truckstream.alerts.rules.rule import AlertRule, Severity
    from truckstream.alerts.rules.rule_set import RuleSet

__all__ = ["AlertEvaluator"]


class AlertEvaluator:
    """Evaluates the reports of one shard, in the order in which the shard has them.

    ```python
    evaluator = AlertEvaluator(default_rules())
    if report := read_report(record.data, record.arrival):
        events = evaluator.add(report)
    ```
    """

    def __init__(self, rules: RuleSet) -> None:
        self._rules = rules.rules
        self._silence_rules = [rule for rule in rules.rules if isinstance(rule, SilenceRule)]
        self._forget = rules.forget
        #: Seconds of silence after which something is to be done about a truck for the first time.
        self._patience = min([*(rule.hold for rule in self._silence_rules), rules.forget])
        self._watermark = 0.0
        self._trucks: dict[str, TruckState] = {}
        #: When to look at which truck for its silence. Each truck has one valid entry, that in `_looks`.
        self._queue: list[tuple[float, str]] = []
        self._looks: dict[str, float] = {}
        #: The ends of incidents whose rule is gone, until the next call returns them.
        self._orphans: list[AlertEvent] = []
        #: Reports that were older than the last one of their truck, or repetitions.
        self.late = 0

    def add(self, report: TruckReport) -> list[AlertEvent]:
        """Take the next report, and return the events that follow from it and from its arrival."""
        events = self.advance(report.arrival)
        truck_id = report.record.truck_id
        truck = self._trucks.get(truck_id)
        if truck is None:
            truck = self._trucks[truck_id] = TruckState(report.time, report.arrival)
        if truck.takes(report):
            self._judge(truck, report, events)
        else:
            self.late += 1
        self._look_at(truck_id, truck.arrival + self._patience)
        return events

    def advance(self, watermark: float) -> list[AlertEvent]:
        """Note that all reports that arrived by this time have been added, and return the events that follow.

        Args:
            watermark: seconds since the epoch, as the arrivals. It may lie behind an earlier one.
        """
        events, self._orphans = self._orphans, []
        self._watermark = max(self._watermark, watermark)
        while self._queue and self._queue[0][0] <= self._watermark:
            look, truck_id = heappop(self._queue)
            if self._looks.get(truck_id) == look:
                del self._looks[truck_id]
                events += self._note_silence(truck_id)
        return events

    # --- State ----------------------------------------------------------------------------------------

    @property
    def watermark(self) -> float:
        """The arrival up to which silence has been judged."""
        return self._watermark

    @property
    def trucks(self) -> int:
        """The number of trucks that are watched."""
        return len(self._trucks)

    def snapshot(self) -> bytes:
        """Return the state, for an evaluator that goes on after this one."""
        rules = {rule.name: (rule.kind, rule.severity) for rule in self._rules}
        return Snapshot(self._watermark, rules, self._trucks).to_bytes()

    def adopt(self, snapshot: bytes, owns: Callable[[str], bool] = lambda _: True) -> None:
        """Go on from a snapshot. The shard that a merge made goes on from two.

        The next call also returns the ends of incidents whose rule does not exist any more.

        Args:
            snapshot: the state of an earlier evaluator.
            owns: returns whether a truck, by its ID, reports to the shard of this evaluator.

        Raises:
            UsageError: the snapshot is of another version, or damaged.
        """
        before = read_snapshot(snapshot)
        self._watermark = max(self._watermark, before.watermark)
        kept = {rule.name for rule in self._rules if before.rules.get(rule.name, ("",))[0] == rule.kind}
        for truck_id, truck in before.trucks.items():
            known = self._trucks.get(truck_id)
            if not owns(truck_id) or (known is not None and known.time > truck.time):
                continue
            self._trucks[truck_id] = truck
            for name in truck.tracks.keys() - kept:
                self._drop_track(name, before.rules[name][1], truck_id, truck)
            self._looks[truck_id] = truck.arrival + self._patience
        self._queue = [(look, truck_id) for truck_id, look in self._looks.items()]
        heapify(self._queue)

    def _drop_track(self, name: str, severity: Severity, truck_id: str, truck: TruckState) -> None:
        track = truck.tracks.pop(name)
        if track.began is not None:
            text = "the rule was removed"
            self._orphans.append(_event(name, severity, truck_id, track.began, truck.time, None, text))

    # --- Rules ----------------------------------------------------------------------------------------

    def _judge(self, truck: TruckState, report: TruckReport, events: list[AlertEvent]) -> None:
        """Judge a report by each rule, in one loop: it takes most of the time of an evaluator."""
        record, time, tracks, bad = report.record, report.time, truck.tracks, Verdict.BAD
        for rule in self._rules:
            track = tracks.get(rule.name) or truck.track(rule.name)
            reading = rule.judge(record, time, track.memory)
            if reading is None:
                continue
            if track.began is None and reading.verdict is not bad:
                track.bad_since = None  # nearly every report ends here
            elif transition := track.follow(rule, reading.verdict, time):
                value = None if isinstance(reading.value, str) else reading.value
                text = rule.describe(reading)
                events.append(_turn(rule, record.truck_id, track, transition, value, text))

    def _note_silence(self, truck_id: str) -> list[AlertEvent]:
        """Do what is due for a truck that has not reported for `_patience` or longer."""
        truck = self._trucks[truck_id]
        events = []
        for rule in self._silence_rules:
            if truck.arrival + rule.hold > self._watermark:
                continue
            track = truck.track(rule.name)
            track.good_since = None
            if track.may_begin(truck.time):
                track.bad_since = truck.time
                text = f"no report for {duration_text(rule.hold)}"
                events.append(_turn(rule, truck_id, track, "begun", None, text))
        if truck.arrival + self._forget <= self._watermark:
            return events + self._forget_truck(truck_id, truck)
        times = [truck.arrival + wait for wait in (*(rule.hold for rule in self._silence_rules), self._forget)]
        self._look_at(truck_id, min(time for time in times if time > self._watermark))
        return events

    def _forget_truck(self, truck_id: str, truck: TruckState) -> list[AlertEvent]:
        """End the incidents of a truck that is gone for good, so that each of them has an end."""
        del self._trucks[truck_id]
        text = f"no report for {duration_text(self._forget)}, so it is watched no more"
        return [
            _event(rule.name, rule.severity, truck_id, track.began, truck.time + self._forget, None, text)
            for rule in self._rules
            if (track := truck.tracks.get(rule.name)) and track.began is not None
        ]

    def _look_at(self, truck_id: str, time: float) -> None:
        """Make sure that the truck is looked at by this time. An earlier look finds out that it has reported since."""
        if self._looks.get(truck_id, inf) > time:
            self._looks[truck_id] = time
            heappush(self._queue, (time, truck_id))


def _turn(
    rule: AlertRule, truck_id: str, track: IncidentTrack, transition: Transition, value: float | None, text: str
) -> AlertEvent:
    """Let an incident begin or end."""
    if transition == "begun":
        began, ended = track.bad_since or 0.0, None
        track.begin(began)
    else:
        began, ended = track.began or 0.0, track.good_since or 0.0
        track.end()
    return _event(rule.name, rule.severity, truck_id, began, ended, value, text)


def _event(
    rule: str, severity: Severity, truck_id: str, began: float, ended: float | None, value: float | None, text: str
) -> AlertEvent:
    suffix = rule if ended is None else f"{rule}, ended after {duration_text(ended - began)}"
    return AlertEvent(
        id=incident_id(rule, truck_id, began),
        rule=rule,
        truck_id=truck_id,
        severity=severity,
        state="begun" if ended is None else "ended",
        began=iso_time(began),
        ended=None if ended is None else iso_time(ended),
        value=value,
        message=printable(f"{truck_id}: {text} ({suffix})"),
    )
