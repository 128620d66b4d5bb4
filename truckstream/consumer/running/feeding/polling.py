"""Reads one shard with GetRecords, and fills its feed."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import TYPE_CHECKING

from truckstream.consumer.reading.actions import Ended, Fatal, Fetch, NeedIterator, Open, Wait
from truckstream.consumer.running.feeding.missing_shard import check_missing_shard
from truckstream.kinesis.failures import RequestFailedError

if TYPE_CHECKING:
    from truckstream.consumer.reading.shard_reader import Action, ShardReader
    from truckstream.consumer.running.feeding.feed import Feed
    from truckstream.consumer.running.feeding.prefetch import Prefetch
    from truckstream.consumer.running.shard_context import ShardContext
    from truckstream.kinesis.reading.reading_client import ReadingClient

__all__ = ["poll"]

_logger = logging.getLogger("truckstream.consumer")


async def poll(
    client: ReadingClient, reader: ShardReader, feed: Feed, prefetch: Prefetch, context: ShardContext
) -> None:
    """Read until the end of the shard, or until the service refuses for good; the feed is told of both."""
    failure: RequestFailedError | None = None
    while True:
        action = reader.next_action(context.now())
        if isinstance(action, Ended | Fatal):
            feed.conclude(action, failure)
            return
        try:
            await _do(action, client, reader, feed, prefetch, context)
        except RequestFailedError as error:
            failure = await check_missing_shard(client, error, context.shard_id)
            _logger.info("a call for %s failed: %s (%s)", context.shard_id, failure.code, failure.kind.value)
            reader.failed(failure.code, failure.kind, context.now())
            feed.call_failed(failure)


async def _do(
    action: Action,
    client: ReadingClient,
    reader: ShardReader,
    feed: Feed,
    prefetch: Prefetch,
    context: ShardContext,
) -> None:
    if isinstance(action, NeedIterator):
        reader.got_iterator(await client.get_shard_iterator(context.shard_id, action.position))
        feed.is_positioned = True
    elif isinstance(action, Fetch):
        asked_at = context.now()
        page = await client.get_records(action.iterator, context.shard_id, action.limit)
        feed.add_page(page, context.now() - asked_at)
        feed.add(reader.got_page(page))
    elif isinstance(action, Open):
        feed.add(reader.open_aggregates())
        await asyncio.sleep(0)  # the event loop would stand still for all pieces of a page
    elif isinstance(action, Wait):
        if action.until == math.inf:
            await prefetch.wait_for_grant(feed.key)
        else:
            await asyncio.sleep(action.until - context.now())
