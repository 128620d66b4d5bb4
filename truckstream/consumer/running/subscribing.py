"""Reads one shard with enhanced fan-out, and fills its feed."""

from __future__ import annotations

import asyncio
import logging
import math
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

from truckstream.consumer.reading.actions import Ended, Fatal, Subscribe, Wait
from truckstream.kinesis.failures import RequestFailedError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from truckstream.consumer.reading.subscription_reader import SubscriptionReader
    from truckstream.consumer.running.feed import Feed
    from truckstream.consumer.running.prefetch import Prefetch
    from truckstream.consumer.running.shard_context import ShardContext
    from truckstream.kinesis.reading.position import Position
    from truckstream.kinesis.reading.reading_client import ReadingClient
    from truckstream.kinesis.reading.stored_record import RecordsPage

__all__ = ["subscribe"]

_logger = logging.getLogger("truckstream.consumer")


async def subscribe(
    client: ReadingClient,
    consumer_arn: str,
    reader: SubscriptionReader,
    feed: Feed,
    prefetch: Prefetch,
    context: ShardContext,
) -> None:
    """Read until the end of the shard, or until the service refuses for good; the feed is told of both."""
    failure: RequestFailedError | None = None
    while True:
        action = reader.next_action(context.now())
        if isinstance(action, Ended):
            if action.is_gone:
                _logger.warning("%s does not exist any more: its records have expired", context.shard_id)
            feed.end(action.children)
            return
        if isinstance(action, Fatal):
            assert failure is not None  # noqa: S101 - it follows a failed call
            feed.fail(failure.to_service_error())
            return
        if isinstance(action, Wait):
            await asyncio.sleep(action.until - context.now())
            continue
        assert isinstance(action, Subscribe)  # noqa: S101 - the reader has no subscription here
        try:
            await _receive(client, consumer_arn, action.position, reader, feed, prefetch, context)
            reader.ended()
        except RequestFailedError as error:
            failure = error
            _logger.info("a subscription to %s failed: %s (%s)", context.shard_id, error.code, error.kind.value)
            reader.failed(error.code, error.kind, context.now())
            feed.call_failed(error)


async def _receive(
    client: ReadingClient,
    consumer_arn: str,
    position: Position,
    reader: SubscriptionReader,
    feed: Feed,
    prefetch: Prefetch,
    context: ShardContext,
) -> None:
    """Pass on the events of one subscription."""
    subscription = client.subscribe(consumer_arn, context.shard_id, position)
    async with aclosing(cast("AsyncGenerator[RecordsPage, None]", subscription)) as events:
        reader.subscribed(context.now())
        while isinstance(action := reader.next_action(context.now()), Wait) or not isinstance(action, Ended | Fatal):
            if isinstance(action, Wait):
                assert action.until == math.inf  # noqa: S101 - it waits for the budget
                await prefetch.wait_for_grant(feed.key)
                continue
            page = await anext(events, None)
            if page is None:
                return
            feed.is_positioned = True
            feed.add(page, reader.got_event(page), 0.0)
