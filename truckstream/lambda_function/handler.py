"""The entry point of a Lambda function that stores Kinesis records with a Batcher.

The Batcher, the event loop and the log handler are made at the first call and kept for all later calls of the process.
With SnapStart, the first call comes after the restore, so that the snapshot holds no connections and no credentials.

One event loop serves every call. `asyncio.run` would close the loop after each call, and with it everything that a warm
function keeps on the loop, such as connections. Calls from several threads (on a laptop; Lambda makes none) take turns.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Final, Protocol, get_args

from truckstream.batcher import Batcher
from truckstream.errors import InvalidArgumentError, UsageError
from truckstream.lambda_function.event import records_of, state_of
from truckstream.lambda_function.logs import JsonLines, LogLevel, report

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["LambdaHandler", "RecordAlerts", "make_handler"]

#: The longest timeout of a function, in seconds (AWS Lambda quotas, 2026-11).
LONGEST_TIMEOUT: Final = 900

#: Lambda sets this variable. If it is not set, the handler runs elsewhere.
_FUNCTION_NAME: Final = "AWS_LAMBDA_FUNCTION_NAME"


class RecordAlerts(Protocol):
    """Evaluates the records of a call after they are stored, such as a `FunctionAlerts`."""

    async def process(self, records: Sequence[Mapping[str, Any]], deadline: float | None) -> None:
        """Evaluate an event's records until the deadline, by the clock of the event loop. It raises nothing."""


def make_handler(
    batcher_factory: Callable[[], Batcher],
    *,
    alerts_factory: Callable[[], RecordAlerts | None] = lambda: None,
    log_level: LogLevel | None = None,
    safety_margin: float = 1.0,
) -> LambdaHandler:
    """Return the handler of a Lambda function that stores Kinesis records with a Batcher of your own.

    ```python
    lambda_handler = make_handler(lambda: Batcher("s3://readings", schema=Reading, compression="gzip"))
    ```

    A call stores the records of its event and returns the response of ReportBatchItemFailures, which the event source
    mapping must have: without it Lambda takes a reported failure for success. In Lambda, a call also logs lines of JSON
    with the request's ID; one of them has the call's metrics in CloudWatch's embedded metric format.

    Args:
        batcher_factory: returns the Batcher. It is called at the first call, and its Batcher serves all later calls. If
            it raises, that call fails with its error and the next one calls it again.
        alerts_factory: returns the alerts that see the records of each call after the batcher, or None for none. It is
            called with `batcher_factory`.
        log_level: the lowest level of log lines; None for the environment variable LOG_LEVEL, or INFO if that is not
            set. The line with the metrics is always written.
        safety_margin: the handler returns this many seconds before the function's timeout. Records that are not stored
            by then are reported, and Lambda delivers them again.

    Raises:
        InvalidArgumentError: an argument breaks a rule.
    """
    if isinstance(batcher_factory, Batcher):
        rule = "must be a function that returns a Batcher: write make_handler(lambda: Batcher(...))"
        raise InvalidArgumentError("batcher_factory", batcher_factory, rule)
    if not callable(batcher_factory) or iscoroutinefunction(batcher_factory):
        raise InvalidArgumentError("batcher_factory", batcher_factory, "must be a function that returns a Batcher")
    if log_level is not None and log_level not in get_args(LogLevel):
        raise InvalidArgumentError("log_level", log_level, f"must be one of {', '.join(get_args(LogLevel))}")
    is_number = isinstance(safety_margin, (int, float)) and not isinstance(safety_margin, bool)
    if not (is_number and 0 <= safety_margin < LONGEST_TIMEOUT):
        rule = f"must be a number of seconds, from 0 to below {LONGEST_TIMEOUT}"
        raise InvalidArgumentError("safety_margin", safety_margin, rule)
    return LambdaHandler(batcher_factory, alerts_factory, log_level, safety_margin)


class LambdaHandler:
    """The callable that `make_handler` returns; set it as `lambda_handler` of your module."""

    def __init__(
        self,
        batcher_factory: Callable[[], Batcher],
        alerts_factory: Callable[[], RecordAlerts | None],
        log_level: LogLevel | None,
        safety_margin: float,
    ) -> None:
        self._batcher_factory = batcher_factory
        self._alerts_factory = alerts_factory
        self._log_level = log_level
        self._safety_margin = safety_margin
        self._state: _WarmState | None = None
        self._turn = threading.Lock()

    def __repr__(self) -> str:
        return f"LambdaHandler({self._batcher_factory!r})"

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:
        """Store the records of a Kinesis event.

        Args:
            event: the event, as Lambda passes it.
            context: Lambda's context, whose remaining time sets the deadline; None for no deadline.

        Returns:
            Lambda's response: no failures, or the one sequence number from which on Lambda must deliver the records
            again. For an event of a tumbling window also its `state`, unchanged.

        Raises:
            UsageError: the event is not a Kinesis event, or the factory returned no Batcher.
        """
        _refuse_running_loop()
        with self._turn:
            if self._state is None:
                self._state = _WarmState(self._make_batcher(), self._alerts_factory(), self._log_level)
            return self._state.process(event, context, self._safety_margin)

    def close(self) -> None:
        """Close the event loop and restore the logging, for tests. A later call starts cold."""
        with self._turn:
            state, self._state = self._state, None
            if state is not None:
                state.close()

    def _make_batcher(self) -> Batcher:
        batcher = self._batcher_factory()
        if not isinstance(batcher, Batcher):
            raise UsageError(f"batcher_factory returned {batcher!r}: it must return a Batcher")
        return batcher


class _WarmState:
    """The state that lasts from call to call."""

    def __init__(self, batcher: Batcher, alerts: RecordAlerts | None, log_level: LogLevel | None) -> None:
        self._batcher = batcher
        self._alerts = alerts
        self._loop = asyncio.new_event_loop()
        self._log = JsonLines()
        self._name = os.environ.get(_FUNCTION_NAME, "truckstream")
        if _FUNCTION_NAME in os.environ:
            self._log.install(log_level or os.environ.get("LOG_LEVEL", "INFO"))

    def process(self, event: Any, context: Any, safety_margin: float) -> dict[str, Any]:
        deadline = self._deadline(context, safety_margin)
        records = records_of(event)
        self._log.request_id = getattr(context, "aws_request_id", None)
        result = self._loop.run_until_complete(self._batcher.process(records, deadline=deadline))
        report(result, function_name=self._name, now=time.time())
        if self._alerts is not None:
            self._loop.run_until_complete(self._alerts.process(records, deadline))
        return result.batch_item_failures() | state_of(event)

    def close(self) -> None:
        self._log.uninstall()
        self._loop.close()

    def _deadline(self, context: Any, safety_margin: float) -> float | None:
        remaining = getattr(context, "get_remaining_time_in_millis", None)
        return None if remaining is None else self._loop.time() + remaining() / 1000 - safety_margin


def _refuse_running_loop() -> None:
    with contextlib.suppress(RuntimeError):  # asyncio raises it if no loop runs, as in Lambda
        asyncio.get_running_loop()
        raise UsageError("the handler blocks: from a running event loop, call it with asyncio.to_thread")
