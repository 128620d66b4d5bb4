"""The rules of alerts on the reports of all shards that a view sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from truckstream.alerts import AlertEvaluator, make_report

if TYPE_CHECKING:
    from truckstream.alerts import AlertEvent, RuleSet
    from truckstream.record import TruckRecord

__all__ = ["FleetAlerts"]

#: Trucks that one shard's evaluator watches, and shards. Ids of trucks are input that anybody may make up, and a page
#: may stay open for weeks; so beyond these an evaluator begins anew.
MOST_TRUCKS: Final = 20_000
MOST_SHARDS: Final = 512


class FleetAlerts:
    """Evaluates rules, with one evaluator for each shard, whose reports are in order.

    Silence is judged by the arrivals of other trucks in the shard. When the whole stream is silent, no truck is.
    """

    def __init__(self, rules: RuleSet) -> None:
        self._rules = rules
        self._evaluators: dict[str | None, AlertEvaluator] = {}

    def take(self, record: TruckRecord, data: bytes, shard_id: str | None, arrival: float | None) -> list[AlertEvent]:
        """Take a valid report, and return the incidents that begin or end with it.

        Args:
            record: the report.
            data: its bytes.
            shard_id: its shard; None if it is not known.
            arrival: when it arrived, in seconds since the epoch; None if that is not known.
        """
        report = make_report(record, data, arrival)
        return [] if report is None else self._evaluator(shard_id).add(report)

    def reset(self) -> None:
        """Forget all reports."""
        self._evaluators.clear()

    def _evaluator(self, shard_id: str | None) -> AlertEvaluator:
        evaluator = self._evaluators.get(shard_id)
        if evaluator is None or evaluator.trucks >= MOST_TRUCKS:
            if len(self._evaluators) >= MOST_SHARDS:
                del self._evaluators[next(iter(self._evaluators))]
            evaluator = self._evaluators[shard_id] = AlertEvaluator(self._rules)
        return evaluator
