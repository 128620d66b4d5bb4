"""Read CloudWatch's figures of the last minutes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from truckstream.cloud.watch.figures import MAX_MINUTES, Figures, queries, summarize
from truckstream.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from truckstream.cloud.aws_account import Aws

__all__ = ["read_figures"]


async def read_figures(aws: Aws, *, stream: str | None, function: str | None, now: datetime, minutes: int) -> Figures:
    """Read the figures of the last `minutes` before `now`.

    Raises:
        InvalidArgumentError: `minutes` is not from 1 to 21,600, which are 15 days.
        AwsError: CloudWatch returned an error.
    """
    if not 1 <= minutes <= MAX_MINUTES:
        raise InvalidArgumentError("minutes", minutes, f"must be from 1 to {MAX_MINUTES}")
    asked = queries(stream, function)
    if not asked:
        return Figures(minutes)
    results: list[Mapping[str, Any]] = []
    more: dict[str, Any] = {}
    while True:
        response = await aws.call(
            "cloudwatch",
            "get_metric_data",
            MetricDataQueries=asked,
            StartTime=now - timedelta(minutes=minutes),
            EndTime=now,
            **more,
        )
        results += response["MetricDataResults"]
        if not (token := response.get("NextToken")):
            return summarize(results, minutes)
        more = {"NextToken": token}
