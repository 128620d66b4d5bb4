"""Read from CloudWatch how many records a stream took in each hour."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from truckstream.data.audit.counts.hourly_counts import HOUR

if TYPE_CHECKING:
    from truckstream.cloud.aws_account import Aws

__all__ = ["read_incoming_records"]


async def read_incoming_records(aws: Aws, stream_name: str, hours: range) -> dict[int, int]:
    """Return the records of each hour in which there were some. CloudWatch keeps hours for 15 months.

    Raises:
        AwsError: CloudWatch returned an error.
    """
    dimensions = [{"Name": "StreamName", "Value": stream_name}]
    metric = {"Namespace": "AWS/Kinesis", "MetricName": "IncomingRecords", "Dimensions": dimensions}
    query = {"Id": "incoming", "MetricStat": {"Metric": metric, "Period": HOUR, "Stat": "Sum"}}
    taken: dict[int, int] = {}
    more: dict[str, Any] = {}
    while True:
        response = await aws.call(
            "cloudwatch",
            "get_metric_data",
            MetricDataQueries=[query],
            StartTime=datetime.fromtimestamp(hours.start, UTC),
            EndTime=datetime.fromtimestamp(hours.stop, UTC),
            **more,
        )
        for result in response["MetricDataResults"]:
            for time, value in zip(result["Timestamps"], result["Values"], strict=True):
                taken[int(time.timestamp())] = round(value)
        if not (token := response.get("NextToken")):
            return taken
        more = {"NextToken": token}
