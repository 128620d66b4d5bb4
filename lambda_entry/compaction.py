"""The scheduled Lambda function: make few large Parquet files of the objects of the hours that are over.

Settings, read from the environment at each call. An empty variable counts as not set:

    BUCKET_NAME    the bucket; or
    STORE_URL      s3://bucket[/folder] or file:///directory
    PREFIX         the folder of the objects: sensor_data
    SCHEMA         the schema of the records: truck, or module:name of a msgspec.Struct
    SORT_BY        the columns to sort by, separated by commas; the truck and the time for truck
    HOURS          the hours before the present that are looked at: 24. Objects that come later stay as they are
    GRACE          seconds for which an hour must be over: 3600
    TARGET_SIZE    bytes of a file, roughly: 134217728
    AWS_REGION, AWS_DEFAULT_REGION, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL   as in every S3 client

A call that the function's timeout ends loses nothing: the next one goes on. An object that cannot be read is left out
and makes the call fail after all other work is done, so that an alarm on the function's errors names it in the log.
"""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from lambda_entry.settings import read_number, read_schema, read_store_url
from truckstream.data.compaction.compact import compact
from truckstream.errors import TruckstreamError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SourcesLeftOutError", "lambda_handler"]

#: The share of the function's memory that DuckDB may take. Python, decoded records and a whole file take the rest.
_DUCKDB_SHARE: Final = 3


class SourcesLeftOutError(TruckstreamError):
    """Objects are in no file, because they cannot be read."""


def lambda_handler(_event: object, _context: object) -> dict[str, Any]:
    """Compact the last hours, and return the number of files, objects and records."""
    report = asyncio.run(compact(**read_options(os.environ, datetime.now(UTC))))
    figures = {
        "files": len(report.files),
        "objects": sum(each.sources for each in report.files),
        "records": report.records,
        "left_out": len(report.broken),
    }
    print(json.dumps({"message": "compacted", **figures}))  # noqa: T201 - the function's log
    if not report.clean:
        names = "; ".join(f"{each.key}: {each.problem}" for each in report.broken[:10])
        raise SourcesLeftOutError(f"{len(report.broken)} objects cannot be read and are in no file: {names}")
    return figures


def read_options(environment: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """Return the arguments of `compact` that the environment describes.

    Raises:
        ConfigurationError: names the setting and how to set it.
    """
    given = {name: value for name, value in environment.items() if value}
    memory = read_number(given, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", 3 * 1024)
    return {
        "store": read_store_url(given),
        "prefix": given.get("PREFIX", "sensor_data"),
        "schema": read_schema(given.get("SCHEMA", "truck")),
        "sort_by": given["SORT_BY"].split(",") if "SORT_BY" in given else None,
        "since": now - timedelta(hours=read_number(given, "HOURS", 24)),
        "grace": timedelta(seconds=read_number(given, "GRACE", 3600)),
        "target_size": read_number(given, "TARGET_SIZE", 128 * 1024 * 1024),
        "memory_limit": f"{memory // _DUCKDB_SHARE}MB",
        "region_name": given.get("AWS_REGION") or given.get("AWS_DEFAULT_REGION"),
        "endpoint_url": given.get("AWS_ENDPOINT_URL_S3") or given.get("AWS_ENDPOINT_URL"),
    }
