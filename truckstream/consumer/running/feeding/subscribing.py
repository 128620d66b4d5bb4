"""Reads one shard with enhanced fan-out, and fills its feed."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

from truckstream.consumer.reading.actions import Ended, Fatal, Open, Subscribe, Wait
from truckstream.kinesis.failures import RequestFailedError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from truckstream.consumer.reading.subscription_reader import SubscriptionReader
    from truckstream.consumer.running.feeding.feed import Feed
    from truckstream.consumer.running.feeding.prefetch import Prefetch
    from truckstream.consumer.running.feeding.registered_consumer import RegisteredConsumer
    from truckstream.consumer.running.shard_context import ShardContext
    from truckstream.kinesis.reading.reading_client import ReadingClient
    from truckstream.kinesis.reading.shard_record import RecordsPage

__all__ = ["subscribe"]

_logger = logging.getLogger("truckstream.consumer")


async def subscribe(
    client: ReadingClient,
    consumer: RegisteredConsumer,
    reader: SubscriptionReader,
    feed: Feed,
    prefetch: Prefetch,
    context: ShardContext,
) -> None:
    """Read until the end of the shard, or until the service refuses for good; the feed is told of both."""
    failure: RequestFailedError | None = None
    while True:
        action = reader.next_action(context.now())
        if isinstance(action, Ended | Fatal):
            feed.conclude(action, failure)
            return
        if isinstance(action, Wait):
            await asyncio.sleep(action.until - context.now())
            continue
        assert isinstance(action, Subscribe)  # noqa: S101 - the reader has no subscription here
        consumer_arn = consumer.arn
        try:
            events = client.subscribe(consumer_arn, context.shard_id, action.position)
            async with aclosing(cast("AsyncGenerator[RecordsPage, None]", events)):
                reader.subscribed(context.now())
                await _receive(events, reader, feed, prefetch, context)
            reader.ended(context.now())
            prefetch.wake_granted()
        except RequestFailedError as error:
            failure = await consumer.cause_of(error, context.shard_id, consumer_arn)
            _logger.info("a subscription to %s failed: %s (%s)", context.shard_id, failure.code, failure.kind.value)
            reader.failed(failure.code, failure.kind, context.now())
            feed.call_failed(failure)


async def _receive(
    events: AsyncIterator[RecordsPage],
    reader: SubscriptionReader,
    feed: Feed,
    prefetch: Prefetch,
    context: ShardContext,
) -> None:
    """Pass on the events of one subscription."""
    while True:
        action = reader.next_action(context.now())
        prefetch.wake_granted()  # a reservation that the reader has returned may serve another shard
        if isinstance(action, Ended):
            return
        if isinstance(action, Wait):
            await prefetch.wait_for_grant(feed.key)
            continue
        if isinstance(action, Open):
            feed.add(reader.open_aggregates())
            await asyncio.sleep(0)  # the event loop would stand still for all pieces of an event
            continue
        page = await anext(events, None)
        if page is None:
            return
        feed.is_positioned = True
        feed.add_page(page, 0.0)
        feed.add(reader.got_event(page))
