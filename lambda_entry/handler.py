"""The Lambda function: store the records of a Kinesis event, and return the first record that is not stored.

Settings, read from the environment at the first call. An empty variable counts as not set:

    BUCKET_NAME          the bucket; or
    STORE_URL            s3://bucket[/folder], file:///directory or memory:///
    PREFIX               the folder of the objects of valid records: sensor_data
    REJECTED_PREFIX      the folder of the objects of rejected records: rejected
    BATCH_SIZE           records of a group: 700, another number, or auto
    LAYOUT               flat or hive
    EVENT_TIME           with hive, the field that contains a record's time; by default folders follow the arrival
    FORMAT               ndjson, json or parquet
    COMPRESSION          gzip or zstd; none if not set
    SCHEMA               the rule for valid records: truck, none, or module:name of a msgspec type or a callable
    ENCRYPTION           AES256, aws:kms or aws:kms:dsse; the bucket's default if not set
    KMS_KEY_ID           the key for the last two
    STORAGE_CLASS        the class of the objects in S3, such as INTELLIGENT_TIERING; STANDARD if not set
    MAX_IN_FLIGHT        groups that are stored at the same time: 16
    MAX_BYTES_IN_FLIGHT  the bytes of these groups: 16777216
    LOG_LEVEL            DEBUG, INFO, WARNING or ERROR: INFO
    AWS_REGION, AWS_DEFAULT_REGION, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL   as in every S3 client

The event source mapping must have ReportBatchItemFailures: without it Lambda takes a reported failure for success.

One event loop serves every call. `asyncio.run` would close the loop after each call, and with it everything that a warm
function keeps on the loop, such as connections. Calls from several threads (on a laptop; Lambda makes none) take turns.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from lambda_entry.logs import JsonLines, report
from lambda_entry.settings import read_batcher
from truckstream.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["lambda_handler"]

#: The function returns this many seconds before its timeout.
SAFETY_MARGIN: Final = 1.0

#: Lambda sets this variable. If it is not set, the handler runs elsewhere.
_FUNCTION_NAME: Final = "AWS_LAMBDA_FUNCTION_NAME"


class WarmFunction:
    """The state that lasts from call to call: the batcher with its store, the event loop and the log handler."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._batcher = read_batcher(environment)
        self._loop = asyncio.new_event_loop()
        self._turn = threading.Lock()
        self._log = JsonLines()
        self._name = environment.get(_FUNCTION_NAME, "truckstream")
        if _FUNCTION_NAME in environment:
            self._log.install(environment.get("LOG_LEVEL", "INFO"))

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:
        deadline = self._deadline(context)
        records = _records(event)
        with self._turn:
            self._log.request_id = getattr(context, "aws_request_id", None)
            result = self._loop.run_until_complete(self._batcher.process(records, deadline=deadline))
            report(result, function_name=self._name, now=time.time())
        return result.batch_item_failures() | _state(event)

    def close(self) -> None:
        self._log.uninstall()
        self._loop.close()

    def _deadline(self, context: Any) -> float | None:
        remaining = getattr(context, "get_remaining_time_in_millis", None)
        return None if remaining is None else self._loop.time() + remaining() / 1000 - SAFETY_MARGIN


_function: WarmFunction | None = None
_creation = threading.Lock()


def lambda_handler(event: Any, context: Any) -> dict[str, Any]:
    """Store the records of a Kinesis event.

    Returns:
        Lambda's response: no failures, or the one sequence number from which on Lambda must deliver the records again.
        For an event of a tumbling window also its `state`, unchanged.

    Raises:
        ConfigurationError: a setting is missing or malformed.
        UsageError: the event is not a Kinesis event.
    """
    global _function  # noqa: PLW0603 - a module keeps its globals from call to call
    _refuse_running_loop()
    with _creation:
        if _function is None:
            _function = WarmFunction(os.environ)
    return _function(event, context)


def _refuse_running_loop() -> None:
    with contextlib.suppress(RuntimeError):  # asyncio raises it if no loop runs, as in Lambda
        asyncio.get_running_loop()
        raise UsageError("the handler blocks: from a running event loop, call it with asyncio.to_thread")


def _records(event: Any) -> list[dict[str, Any]]:
    records = event.get("Records") if isinstance(event, dict) else None
    if records is None and _ends_window(event):
        return []
    if not isinstance(records, list):
        found = sorted(map(str, event)) if isinstance(event, dict) else type(event).__name__
        raise UsageError(f"the event has no Records: {found}. The function's trigger must be a Kinesis stream.")
    return records


def _ends_window(event: Any) -> bool:
    """True for the last event of a tumbling window of a Kinesis stream, which may have no records."""
    return isinstance(event, dict) and "window" in event and ":kinesis:" in str(event.get("eventSourceARN"))


def _state(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tumbling window's state. Lambda counts a response without it as a failed call."""
    return {"state": event.get("state") or {}} if "window" in event else {}
