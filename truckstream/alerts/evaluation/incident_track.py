"""The course of one rule for one truck: waiting, begun, recovering, ended.

All times are event times, in seconds since the epoch, and never decrease. An incident begins at the first report of an
unbroken run of BAD ones that lasts for `hold`, and ends at the first one of a run of GOOD ones that lasts for
`end_hold`. Between two reports a truck counts as unchanged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from truckstream.alerts.rules.rule import Verdict

if TYPE_CHECKING:
    from truckstream.alerts.rules.rule import AlertRule

__all__ = ["IncidentTrack", "Transition"]

Transition = Literal["begun", "ended"]


class IncidentTrack(msgspec.Struct, omit_defaults=True):
    """The state of one rule for one truck. With its defaults it holds nothing worth keeping."""

    #: The first report of the present run of BAD ones, while no incident has begun.
    bad_since: float | None = None
    #: The report that began the incident that lasts.
    began: float | None = None
    #: The first report of the present run of GOOD ones, while an incident lasts.
    good_since: float | None = None
    #: The beginning of the last incident. One that began no later would have the same identity.
    last_began: float | None = None
    #: The figures that the rule keeps of the truck.
    memory: list[Any] = msgspec.field(default_factory=list)

    def follow(self, rule: AlertRule, verdict: Verdict, time: float) -> Transition | None:
        """Take the verdict of the next report, and return whether an incident has begun or ended by it."""
        if self.began is None:
            return self._follow_waiting(rule, verdict, time)
        if verdict is not Verdict.GOOD:
            self.good_since = None
            return None
        if self.good_since is None:
            self.good_since = time
        return "ended" if time - self.good_since >= rule.end_hold else None

    def may_begin(self, time: float) -> bool:
        """Return whether an incident may begin at the report of this time."""
        return self.began is None and (self.last_began is None or time > self.last_began)

    def begin(self, time: float) -> None:
        """Let an incident begin at the report of this time."""
        self.began, self.last_began, self.bad_since, self.good_since = time, time, None, None

    def end(self) -> None:
        """Let the incident end."""
        self.began, self.good_since = None, None

    def _follow_waiting(self, rule: AlertRule, verdict: Verdict, time: float) -> Transition | None:
        if verdict is not Verdict.BAD:
            self.bad_since = None
            return None
        if self.bad_since is None:
            if not self.may_begin(time):
                return None
            self.bad_since = time
        return "begun" if time - self.bad_since >= rule.hold else None
