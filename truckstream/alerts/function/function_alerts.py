"""Alerts inside the Lambda function: each call goes on from the state that the last call of its shard has stored.

Lambda makes one call at a time for a shard, as long as ParallelizationFactor is 1. Containers come and go, so that the
state is an object in the bucket: read at the beginning of a call, and written before the events are sent, with those
that wait. A call that is killed while it sends leaves them for the next one, which sends them with the same keys.

Storing records comes first. A call whose state cannot be read or written fails no delivery: it logs an error, and its
records are not evaluated again.
"""

from __future__ import annotations

import asyncio
import logging
from random import Random
from typing import TYPE_CHECKING, Any, Final, Protocol

from truckstream.alerts.shard.shard_alerts import ShardAlerts
from truckstream.batcher.reading.aggregates import expand_aggregates
from truckstream.batcher.reading.event import read_event
from truckstream.errors import AlertTargetError, TruckstreamError, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from truckstream.alerts.alert_event import AlertEvent
    from truckstream.alerts.rules.rule_set import RuleSet
    from truckstream.alerts.shard.outbox import EventOutbox
    from truckstream.alerts.shard.state_store import AlertStateStore

__all__ = ["FunctionAlerts", "FunctionTarget"]

_logger = logging.getLogger("truckstream.alerts")

_LEVELS: Final = {"info": logging.INFO, "warning": logging.WARNING, "critical": logging.ERROR}

#: Seconds that evaluating, the state and one request to the target take at most, if all goes well.
_LEAST_SECONDS: Final = 5.0

#: Attempts of one call to send what waits. Between them are waits of half a second and more.
_MOST_ATTEMPTS: Final = 3

#: User records that are expanded at a time; no group depends on it.
_SLICE: Final = 1_000


class FunctionTarget(Protocol):
    """Where the function sends events."""

    name: str
    batch: int

    async def send(self, events: Sequence[AlertEvent]) -> Sequence[AlertEvent]:
        """Send events, and return those that failed. Raises AlertTargetError if all of them did."""


class FunctionAlerts:
    """Evaluates the records of one call after the other, and reports events as log lines and to a target.

    Args:
        rules: from `function_rules`.
        states: where the states of the shards are kept.
        target: where events are sent besides the log; None for the log alone.
    """

    def __init__(self, rules: RuleSet, states: AlertStateStore, target: FunctionTarget | None = None) -> None:
        self._rules = rules
        self._states = states
        self._target = target
        self._random = Random()

    def __repr__(self) -> str:
        names = ", ".join(rule.name for rule in self._rules.rules)
        return f"FunctionAlerts({names}, {self._target.name if self._target else 'log lines only'})"

    async def process(self, records: Sequence[Mapping[str, Any]], deadline: float | None) -> None:
        """Evaluate the records of an event. It raises nothing: an error is logged.

        Args:
            records: the event's `Records`.
            deadline: when to be done, by the clock of the event loop; None for no limit.
        """
        if not records:
            return
        try:
            if self._seconds_left(deadline) < _LEAST_SECONDS:
                _logger.error("alerts: too little time is left, so that %d records are not evaluated", len(records))
                return
            async with asyncio.timeout_at(deadline):
                await self._process(records, deadline)
        except TruckstreamError as error:
            _log_failure(records, str(error))
        except Exception as error:  # noqa: BLE001 - the records are stored, and must not be delivered again for alerts
            _log_failure(records, f"{type(error).__name__}: {error}")

    async def _process(self, records: Sequence[Mapping[str, Any]], deadline: float | None) -> None:
        event = read_event(records)
        name = f"{event.stream.rpartition('/')[2]}/{event.shard}"
        batches = {"log": 1_000} | ({self._target.name: self._target.batch} if self._target else {})
        alerts = ShardAlerts(self._rules, batches, self._random)
        if state := await self._states.read(name):
            alerts.adopt(state)
        alerts.take_data(_user_records(records))
        _log_events(alerts.outboxes["log"])
        await self._states.write(name, alerts.snapshot())
        if self._target is not None and await self._send(alerts.outboxes[self._target.name], self._target, deadline):
            await self._states.write(name, alerts.snapshot())

    async def _send(self, outbox: EventOutbox, target: FunctionTarget, deadline: float | None) -> bool:
        """Send what waits, and return whether anything was accepted."""
        loop, waiting, failures = asyncio.get_running_loop(), len(outbox), 0
        while (due := outbox.due_time) is not None and failures < _MOST_ATTEMPTS:
            wait = max(0.0, due - loop.time())
            if self._seconds_left(deadline) < wait + _LEAST_SECONDS:
                break
            await asyncio.sleep(wait)
            events = outbox.take(loop.time())
            try:
                failed = await target.send(events)
            except AlertTargetError as error:
                failed = events
                _logger.warning("%s fails; %d alerts wait for the next call: %s", target.name, len(outbox), error)
            outbox.settle(events, failed, loop.time())
            failures = failures + 1 if failed else 0
        return len(outbox) < waiting

    @staticmethod
    def _seconds_left(deadline: float | None) -> float:
        return float("inf") if deadline is None else deadline - asyncio.get_running_loop().time()


def _user_records(records: Sequence[Mapping[str, Any]]) -> Iterator[tuple[bytes, float]]:
    """Yield data and arrival of each record, aggregates taken apart. Data that nobody can read are left out."""
    for part in expand_aggregates(read_event(records), _SLICE):
        for payload, arrival in zip(part.payloads, part.arrivals, strict=True):
            if isinstance(payload, bytes):
                yield payload, arrival


def _log_failure(records: Sequence[Mapping[str, Any]], reason: str) -> None:
    text = "alerts: %d records are not evaluated, or their state is not stored: %s"
    _logger.error(text, len(records), printable(reason))


def _log_events(outbox: EventOutbox) -> None:
    events = outbox.take(0.0)
    for event in events:
        level = _LEVELS[event.severity] if event.state == "begun" else logging.INFO
        _logger.log(level, event.message, extra={"fields": {"alert": event}})
    outbox.settle(events, (), 0.0)
