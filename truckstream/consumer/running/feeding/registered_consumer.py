"""The registered consumer of one stream: all subscriptions are made in its name."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from truckstream.consumer.running.feeding.missing_shard import SHARD_IS_LISTED, check_missing_shard
from truckstream.kinesis.failures import FailureKind, RequestFailedError

if TYPE_CHECKING:
    from truckstream.kinesis.reading.reading_client import ReadingClient

__all__ = ["RegisteredConsumer"]

_logger = logging.getLogger("truckstream.consumer")


class RegisteredConsumer:
    """Registers a consumer with enhanced fan-out, and again if somebody has deregistered it.

    Args:
        client: the stream.
        name: the consumer's name, which all workers of an application share.
    """

    def __init__(self, client: ReadingClient, name: str) -> None:
        self._client = client
        self._name = name
        self._registering = asyncio.Lock()
        #: Empty until it is registered.
        self.arn = ""

    async def register(self) -> None:
        """Set `arn`.

        Raises:
            RequestFailedError: the consumer could not be registered.
        """
        self.arn = await self._client.register_consumer(self._name)

    async def cause_of(self, failure: RequestFailedError, shard_id: str, consumer_arn: str) -> RequestFailedError:
        """Find out which part is missing: the stream, the shard, or the consumer, which is registered again then.

        SubscribeToShard reports all three alike.
        """
        cause = await check_missing_shard(self._client, failure, shard_id)
        if cause.code != SHARD_IS_LISTED:
            return cause
        try:
            async with self._registering:  # the subscriptions to all shards have failed
                if self.arn == consumer_arn:
                    _logger.warning("the consumer %s was deregistered: registering it again", self._name)
                    await self.register()
        except RequestFailedError as error:
            return error
        return RequestFailedError(FailureKind.AMBIGUOUS, "ConsumerDeregistered", failure.message)
