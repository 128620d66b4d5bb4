"""The account of a replay."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from truckstream.data.replay.reading.candidates import Refused

__all__ = ["BROKEN_LINE", "BROKEN_OBJECT", "NO_RECORDS", "Originals", "RefusedExample", "ReplayReport", "RunningCounts"]

#: Reasons that are not about a record's content.
BROKEN_LINE: Final = "broken_line"
BROKEN_OBJECT: Final = "broken_object"
NO_RECORDS: Final = "no_records"

#: Examples that a report has of each reason.
_EXAMPLES: Final = 3


class RefusedExample(msgspec.Struct, frozen=True):
    """One record, or one object, that stays refused."""

    reason: str
    #: The object that holds it.
    key: str
    detail: str


class Originals(msgspec.Struct, frozen=True):
    """Where the objects lie that were read. A replay never deletes them."""

    place: str
    objects: int


class ReplayReport(msgspec.Struct, frozen=True, kw_only=True):
    """The account of a replay. All numbers are records unless they say otherwise."""

    #: True if nothing was written; then the numbers are those of a real run.
    dry_run: bool
    #: "store", or the ARN of the stream.
    target: str
    #: Replayed by this run.
    replayed: int
    #: Replayed by an earlier run, or stored by a later delivery of Lambda.
    already_replayed: int
    #: Still refused, by reason.
    refused: dict[str, int]
    #: They may have been replayed, and it is not known whether they were.
    unknown: int
    #: Batches that Lambda gave up and that are stored now, by this run or before.
    given_up_batches: int
    #: Some of the records that stay refused.
    examples: list[RefusedExample]
    originals: list[Originals]
    #: The advice about unknown records.
    hints: list[str]
    #: True if the run was stopped before it had read all objects.
    stopped: bool

    @property
    def still_refused(self) -> int:
        """The number of records that are still refused."""
        return sum(self.refused.values())

    @property
    def ok(self) -> bool:
        """True if no record is left refused or unknown, and the run was not stopped."""
        return not (self.still_refused or self.unknown or self.stopped)

    def summary(self) -> str:
        """Return the account as a text."""
        lines = [
            f"{'Would be replayed' if self.dry_run else 'Replayed'}: {self.replayed:,}",
            f"Already replayed: {self.already_replayed:,}",
            f"Still refused: {self.still_refused:,}",
            *(self._refused_line(reason) for reason in sorted(self.refused)),
            f"Unknown: {self.unknown:,}",
            *(f"  {hint}" for hint in self.hints),
        ]
        if self.given_up_batches:
            lines.append(f"Batches that Lambda gave up: {self.given_up_batches:,}")
        lines += [f"The originals stay in {each.place} ({each.objects:,} read)." for each in self.originals]
        if self.stopped:
            lines.append("Stopped before the end: run it again for the rest.")
        return "\n".join(lines)

    def _refused_line(self, reason: str) -> str:
        example = next((each for each in self.examples if each.reason == reason), None)
        such_as = f", such as {example.detail} ({example.key})" if example else ""
        return f"  {reason}: {self.refused[reason]:,}{such_as}"


class RunningCounts:
    """Counts while a replay runs."""

    def __init__(self, target: str, *, dry_run: bool) -> None:
        self._target = target
        self._dry_run = dry_run
        self.replayed = 0
        self.already_replayed = 0
        #: Of unfinished intents that a recovery left, and of those of another run that is at work.
        self.unknown = 0
        self.unknown_elsewhere = 0
        self.given_up_batches = 0
        self.stopped = False
        self._refused: Counter[str] = Counter()
        self._examples: dict[str, list[RefusedExample]] = {}
        self._originals: Counter[str] = Counter()
        self._hints: list[str] = []

    def refuse(self, refused: Refused, key: str, records: int = 1) -> None:
        """Count records that stay refused."""
        self._refused[refused.reason] += records
        examples = self._examples.setdefault(refused.reason, [])
        if len(examples) < _EXAMPLES:
            examples.append(RefusedExample(refused.reason, key, refused.detail))

    def read(self, place: str) -> None:
        """Count an object that was read."""
        self._originals[place] += 1

    def hint(self, text: str) -> None:
        if text not in self._hints:
            self._hints.append(text)

    def report(self) -> ReplayReport:
        """Return the account so far."""
        return ReplayReport(
            dry_run=self._dry_run,
            target=self._target,
            replayed=self.replayed,
            already_replayed=self.already_replayed,
            refused=dict(self._refused),
            unknown=self.unknown + self.unknown_elsewhere,
            given_up_batches=self.given_up_batches,
            examples=[each for examples in self._examples.values() for each in examples],
            originals=[Originals(place, objects) for place, objects in self._originals.items()],
            hints=list(self._hints),
            stopped=self.stopped,
        )
