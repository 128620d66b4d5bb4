"""The function: an event of Kinesis records in, objects in the store, Lambda's answer out.

Settings, read from the environment at the first call:

    BUCKET_NAME       the bucket; or
    STORE_URL         s3://bucket[/folder], file:///directory or memory:///
    PREFIX            where the objects of valid records lie: sensor_data
    REJECTED_PREFIX   where those of refused records lie: rejected
    BATCH_SIZE        records of a group: 700, another number, or auto
    LAYOUT            flat or hive
    AWS_REGION, AWS_DEFAULT_REGION, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL   as every S3 client takes them

The mapping must have ReportBatchItemFailures: without it Lambda takes a reported failure for success.

One event loop serves every call. `asyncio.run` would close it each time, and with it whatever a warm function wants to
keep: connections, and what waits for them. Calls from several threads (on a laptop; Lambda makes none) take turns.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from typing import TYPE_CHECKING, Any, Final, Literal, cast, get_args

import msgspec

from truckstream.batcher import Batcher
from truckstream.batcher.batcher import MAX_BATCH_SIZE
from truckstream.batcher.keys import Layout
from truckstream.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truckstream.batcher import Result

__all__ = ["lambda_handler"]

_logger = logging.getLogger("truckstream.function")

#: Seconds before the function's timeout by which the answer must be on its way.
SAFETY_MARGIN: Final = 1.0


class Function:
    """What lasts from call to call: the batcher with its store, and the event loop."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._batcher = read_batcher(environment)
        self._loop = asyncio.new_event_loop()
        self._turn = threading.Lock()

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:
        deadline = self._deadline(context)
        records = _records(event)
        with self._turn:
            result = self._loop.run_until_complete(self._batcher.process(records, deadline=deadline))
        _log(result, getattr(context, "aws_request_id", None))
        return result.batch_item_failures()

    def close(self) -> None:
        self._loop.close()

    def _deadline(self, context: Any) -> float | None:
        remaining = getattr(context, "get_remaining_time_in_millis", None)
        return None if remaining is None else self._loop.time() + remaining() / 1000 - SAFETY_MARGIN


_function: Function | None = None
_creation = threading.Lock()


def lambda_handler(event: Any, context: Any) -> dict[str, Any]:
    """Store the records of a Kinesis event.

    Returns:
        Lambda's answer: no failures, or the one sequence number from which on the records must come again.

    Raises:
        ConfigurationError: a setting is missing or malformed.
        UsageError: the event is not one of Kinesis.
    """
    global _function  # noqa: PLW0603 - this is how a function keeps things from call to call
    _refuse_running_loop()
    with _creation:
        if _function is None:
            _logger.setLevel(logging.INFO)  # Lambda's root logger shows warnings only
            _function = Function(os.environ)
    return _function(event, context)


def _refuse_running_loop() -> None:
    with contextlib.suppress(RuntimeError):  # what asyncio says where no loop runs, as in Lambda
        asyncio.get_running_loop()
        raise UsageError("the handler blocks: on a running event loop call it with asyncio.to_thread")


def read_batcher(environment: Mapping[str, str]) -> Batcher:
    """The batcher that the environment describes.

    Raises:
        ConfigurationError: names the setting and how to set it.
    """
    return Batcher(
        _store_url(environment),
        prefix=environment.get("PREFIX", "sensor_data"),
        rejected_prefix=environment.get("REJECTED_PREFIX", "rejected"),
        batch_size=_batch_size(environment.get("BATCH_SIZE", "700")),
        layout=_layout(environment.get("LAYOUT", "flat")),
        region_name=environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION"),
        endpoint_url=environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL"),
    )


def _store_url(environment: Mapping[str, str]) -> str:
    if url := environment.get("STORE_URL"):
        return url
    if bucket := environment.get("BUCKET_NAME"):
        return f"s3://{bucket}"
    hint = "Set BUCKET_NAME to the bucket's name, or STORE_URL (file:///data) in the function's environment."
    raise ConfigurationError("BUCKET_NAME", "is not set", hint)


def _batch_size(value: str) -> int | Literal["auto"]:
    if value == "auto":
        return "auto"
    if not (value.isascii() and value.isdigit() and 1 <= int(value) <= MAX_BATCH_SIZE):
        hint = f"Set it to a number of records up to {MAX_BATCH_SIZE:,}, such as 700, or to auto."
        raise ConfigurationError("BATCH_SIZE", f"is {value!r}", hint)
    return int(value)


def _layout(value: str) -> Layout:
    if value not in get_args(Layout):
        raise ConfigurationError("LAYOUT", f"is {value!r}", "Set it to flat or hive.")
    return cast("Layout", value)


def _records(event: Any) -> list[dict[str, Any]]:
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list):
        what = sorted(event) if isinstance(event, dict) else type(event).__name__
        raise UsageError(f"this event has no Records: {what}. The function's trigger must be a Kinesis stream.")
    return records


def _log(result: Result, request_id: str | None) -> None:
    """One line of JSON a call: counts and names of objects, nothing of what a record holds."""
    line = {
        "message": "delivery stored" if result.first_failed is None else "delivery stored in part",
        "request_id": request_id,
        "received": result.received,
        "stored": result.stored,
        "rejected": result.rejected,
        "not_stored": result.not_stored,
        "objects": len(result.objects),
        "bytes": sum(receipt.bytes for receipt in result.objects),
        "adopted": sum(receipt.outcome == "adopted" for receipt in result.objects),
        "first_failed": result.first_failed,
        "causes": [str(cause) for cause in result.causes],
    }
    level = logging.INFO if result.first_failed is None else logging.WARNING
    _logger.log(level, msgspec.json.encode(line).decode())
