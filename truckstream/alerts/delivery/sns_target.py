"""Alerts to a topic of SNS.

A FIFO topic keeps one of two messages with the same deduplication ID, which is the event's key, for five minutes
(Amazon SNS developer guide, 2026-11). A standard topic delivers an event again if its response was lost.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final, Self

from truckstream.alerts.sns_messages import check_topic, message_entries
from truckstream.errors import AlertTargetError
from truckstream.kinesis.session.default_session import load_aiobotocore, prepared_session
from truckstream.kinesis.session.user_session import aio_session

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from truckstream.alerts.alert_event import AlertEvent
    from truckstream.kinesis.session.user_session import UserSession

__all__ = ["SnsTarget"]

#: For connecting, and for the response.
_SECONDS: Final = 10


class SnsTarget:
    """Publishes events to a topic. The message is the event as JSON; rule, severity and state are also attributes.

    Args:
        topic_arn: the ARN of the topic, a standard or a FIFO one.
        session, endpoint_url: as in aiobotocore; by default the environment's.

    Raises:
        InvalidArgumentError: it is no ARN of a topic.
    """

    batch = 10

    def __init__(self, topic_arn: str, *, session: UserSession | None = None, endpoint_url: str | None = None) -> None:
        check_topic("sns", topic_arn)
        self.name = f"sns {topic_arn}"
        self._topic_arn = topic_arn
        self._session = aio_session(session)
        self._endpoint_url = endpoint_url
        self._resources = AsyncExitStack()
        self._client: Any = None

    async def __aenter__(self) -> Self:
        await load_aiobotocore()
        from aiobotocore.config import AioConfig  # noqa: PLC0415 - loaded by the line above

        # The outbox retries, at waits of its own.
        config = AioConfig(connect_timeout=_SECONDS, read_timeout=_SECONDS, retries={"total_max_attempts": 1})
        session = await prepared_session(self._session, "sns")
        region = self._topic_arn.split(":")[3]
        client = session.create_client("sns", region_name=region, endpoint_url=self._endpoint_url, config=config)
        self._client = await self._resources.enter_async_context(client)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._resources.aclose()

    async def send(self, events: Sequence[AlertEvent]) -> Sequence[AlertEvent]:
        """Publish up to ten events in one request."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        entries = message_entries(self._topic_arn, events)
        try:
            response = await self._client.publish_batch(TopicArn=self._topic_arn, PublishBatchRequestEntries=entries)
        except ClientError as error:
            details = error.response.get("Error", {})
            raise AlertTargetError(str(details.get("Code")), str(details.get("Message", ""))) from error
        except (BotoCoreError, OSError) as error:
            raise AlertTargetError(type(error).__name__, str(error)) from error
        return [events[int(each["Id"])] for each in response.get("Failed", ())]
