"""The function's log: lines of JSON with the request's ID, and one line a call with its metrics.

CloudWatch extracts the metrics from that line by itself: it has the embedded metric format, a JSON object in which
`_aws` names the members that are metrics. A call of the CloudWatch API for each would cost time and money.

In Lambda, truckstream's loggers write to this handler only. The root logger's handler would write the same lines again,
as text. Elsewhere, such as in tests and in the demo, the logging configuration is not changed.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import msgspec

from truckstream.metrics import DIMENSION, FUNCTION_METRICS, NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from truckstream.batcher import Result

__all__ = ["JsonLines", "LogLevel", "report"]

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]

_function_logger = logging.getLogger("truckstream.function")

#: CloudWatch accepts this many values of one metric in a line.
_MOST_VALUES: Final = 100

_encode: Final = msgspec.json.Encoder(enc_hook=repr).encode


class JsonLines(logging.Handler):
    """Writes each record of truckstream's loggers as one line of JSON."""

    def __init__(self, write: Callable[[str], object] | None = None) -> None:
        super().__init__()
        self._write = write
        #: The ID of the current call.
        self.request_id: str | None = None

    def install(self, level: str) -> None:
        """Replace the root's handlers for truckstream's loggers. `level` is a `LogLevel`; INFO for any other.

        The level does not apply to the lines of `report`: without their metrics no alarm could see the function fail.
        """
        ours = logging.getLogger("truckstream")
        ours.addHandler(self)
        ours.setLevel(level if level in get_args(LogLevel) else "INFO")
        ours.propagate = False
        _function_logger.setLevel(logging.INFO)

    def uninstall(self) -> None:
        ours = logging.getLogger("truckstream")
        ours.removeHandler(self)
        ours.setLevel(logging.NOTSET)
        ours.propagate = True
        _function_logger.setLevel(logging.NOTSET)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self._line(record)
            (self._write or sys.stdout.write)(line + "\n")
        except Exception:  # noqa: BLE001 - an error in logging must not fail the call
            self.handleError(record)

    def _line(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": self.request_id,
        }
        if record.exc_info:
            fields["exception"] = logging.Formatter().formatException(record.exc_info)
        fields |= getattr(record, "fields", {})
        try:
            return _encode(fields).decode()
        except UnicodeEncodeError:  # half of a surrogate pair in a message
            return json.dumps(fields, default=repr)


def report(result: Result, *, function_name: str, now: float) -> None:
    """Log one call's result, as a warning if records are not stored: counts and causes, no content of records.

    Args:
        result: the result of `Batcher.process`.
        function_name: the value of the metrics' dimension.
        now: seconds since the epoch.
    """
    done = result.received - result.not_stored
    message = f"{done} of {result.received} records stored, {result.rejected} of them as rejected records"
    fields = _metrics(result, function_name, now) | {
        "first_failed": result.first_failed,
        "causes": [str(cause) for cause in result.causes],
    }
    level = logging.INFO if result.first_failed is None else logging.WARNING
    _function_logger.log(level, message, extra={"fields": fields})


def _metrics(result: Result, function_name: str, now: float) -> dict[str, Any]:
    values = {name: value for name, value in _values(result, now).items() if value is not None}
    return {
        "_aws": {
            "Timestamp": int(now * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": NAMESPACE,
                    "Dimensions": [[DIMENSION]],
                    "Metrics": [
                        {"Name": metric.name, "Unit": metric.unit}
                        for metric in FUNCTION_METRICS
                        if metric.name in values
                    ],
                }
            ],
        },
        DIMENSION: function_name,
        **values,
    }


def _values(result: Result, now: float) -> Mapping[str, Any]:
    receipts = [*result.objects, *result.rejected_objects]
    created = [receipt for receipt in receipts if receipt.outcome == "created"]
    found = [receipt for receipt in receipts if receipt.outcome != "created"]
    slowest = sorted(result.put_seconds, reverse=True)[:_MOST_VALUES]
    return {
        "RecordsReceived": result.received,
        "RecordsStored": result.stored,
        "RecordsRejected": result.rejected,
        "RecordsAdopted": sum(receipt.records for receipt in found),
        "RecordsNotStored": result.not_stored,
        "ObjectsCreated": len(created),
        "ObjectsAdopted": len(found),
        "UploadsFailed": len(result.causes),
        "BytesStored": sum(receipt.bytes for receipt in created),
        "PutLatency": [round(seconds * 1000, 1) for seconds in slowest] or None,
        "OldestRecordAge": None
        if result.oldest_arrival is None
        else max(0, round((now - result.oldest_arrival) * 1000)),
    }
