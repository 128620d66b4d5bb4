"""A topic of SNS for the Lambda function, through the boto3 of Lambda's runtime.

The zip of the function has no library for SNS. boto3 takes 0.3 s of CPU to import, so that only a call with an alert to
send imports it.
"""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from truckstream.alerts.sns_messages import MOST_MESSAGES, check_topic, message_entries
from truckstream.errors import AlertTargetError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from truckstream.alerts.alert_event import AlertEvent

__all__ = ["LambdaTopic"]

#: For connecting, and for the response: a call should not wait for SNS for long.
_SECONDS: Final = 5


class LambdaTopic:
    """Publishes events to a topic.

    Raises:
        InvalidArgumentError: it is no ARN of a topic.
    """

    batch = MOST_MESSAGES

    def __init__(self, topic_arn: str) -> None:
        check_topic("ALERT_TOPIC", topic_arn)
        self.name = f"sns {topic_arn}"
        self._topic_arn = topic_arn
        self._client: Any = None

    async def send(self, events: Sequence[AlertEvent]) -> Sequence[AlertEvent]:
        """Publish up to ten events in one request, and return those that SNS did not accept.

        Raises:
            AlertTargetError: none of them was accepted.
        """
        return await asyncio.to_thread(self._publish, events)

    def _publish(self, events: Sequence[AlertEvent]) -> list[AlertEvent]:
        try:
            self._client = self._client or self._connect()
            entries = message_entries(self._topic_arn, events)
            response = self._client.publish_batch(TopicArn=self._topic_arn, PublishBatchRequestEntries=entries)
        # The errors of boto3 are known only where it is imported: all of them mean that nothing was accepted.
        except Exception as error:
            raise AlertTargetError(type(error).__name__, str(error)) from error
        return [events[int(each["Id"])] for each in response.get("Failed", ())]

    def _connect(self) -> Any:
        # By name: what the zip must contain follows from its import statements, and Lambda has these two.
        boto3, config = import_module("boto3"), import_module("botocore.config")
        options = config.Config(connect_timeout=_SECONDS, read_timeout=_SECONDS, retries={"total_max_attempts": 1})
        return boto3.client("sns", region_name=self._topic_arn.split(":")[3], config=options)
