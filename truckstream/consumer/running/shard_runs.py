"""The runs of all shards whose leases this worker holds."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from truckstream.consumer.reading.shard_reader import ShardReader
from truckstream.consumer.reading.subscription_reader import SubscriptionReader
from truckstream.consumer.reading.user_records import UserRecords
from truckstream.consumer.running.feeding.feed import Feed
from truckstream.consumer.running.feeding.polling import poll
from truckstream.consumer.running.feeding.prefetch import Prefetch
from truckstream.consumer.running.feeding.subscribing import subscribe
from truckstream.consumer.running.leased_shard import LeasedShard
from truckstream.consumer.running.shard_context import ShardContext
from truckstream.consumer.running.shard_run import ShardRun

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from random import Random

    from truckstream.consumer.leases.tenure import Tenure
    from truckstream.consumer.options import ConsumerOptions
    from truckstream.consumer.running.shard_run import Factory
    from truckstream.consumer.running.streams import Streams
    from truckstream.consumer.upkeep.lease_manager import LeaseManager
    from truckstream.observer_hooks import ObserverHooks

__all__ = ["ShardRuns"]

_logger = logging.getLogger("truckstream.consumer")

#: Seconds that cancelled handlers have to end.
CANCEL_SECONDS: Final = 5.0


class ShardRuns:
    """Begins a run when a tenure begins, and ends it with its tenure.

    Args:
        streams: the streams' clients.
        options: the consumer's options.
        factory: makes the processors, once the application has said how it wants its records.
        hooks: the observer's hooks.
        random: the source of the jitter.
        on_failure: called with the error of a run that failed.
        on_end: called when a shard was processed to its end.
    """

    #: Set before the first tenure begins.
    leases: LeaseManager

    def __init__(
        self,
        streams: Streams,
        options: ConsumerOptions,
        factory: asyncio.Future[Factory],
        hooks: ObserverHooks | None,
        random: Random,
        *,
        on_failure: Callable[[BaseException], None],
        on_end: Callable[[], None],
    ) -> None:
        self._streams = streams
        self._options = options
        self._factory = factory
        self._hooks = hooks
        self._on_failure = on_failure
        self._on_end = on_end
        self._random = random
        self._numbers = itertools.count(1)
        self._tasks: dict[Tenure, tuple[ShardRun, asyncio.Task[None]]] = {}
        self._is_stopping = False
        self.prefetch = Prefetch(options.prefetch_bytes)

    # --- TenureListener ---------------------------------------------------------------------------

    def began(self, tenure: Tenure) -> None:
        """Begin to read a shard."""
        run = self._new_run(tenure)
        if self._is_stopping:
            run.stop("close")
        task = asyncio.get_running_loop().create_task(run.run(), name=f"truckstream: {tenure.key}")
        self._tasks[tenure] = (run, task)
        task.add_done_callback(lambda done: self._on_done(tenure, done))

    def wanted(self, tenure: Tenure) -> None:
        """Finish a shard, for the worker that asks for it."""
        if tenure in self._tasks:
            self._tasks[tenure][0].stop("hand_over")

    def lost(self, tenure: Tenure) -> None:
        """End a run at once."""
        if tenure in self._tasks:
            self._tasks[tenure][1].cancel()

    # --- For the consumer -------------------------------------------------------------------------

    def __iter__(self) -> Iterator[ShardRun]:
        return iter([run for run, _ in self._tasks.values()])

    def stop(self) -> None:
        """Let all runs finish after the records in hand, and begin no more."""
        self._is_stopping = True
        for run in self:
            run.stop("close")

    async def wait(self, seconds: float | None) -> bool:
        """Return when all runs have ended. After `seconds` those that are left are cancelled, and it returns False."""
        tasks = [task for _, task in self._tasks.values()]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=seconds)
            if late:
                shards = ", ".join(tenure.shard_id for tenure, (_, task) in self._tasks.items() if task in late)
                _logger.warning("not finished within %g s: %s. Their last records may come again.", seconds, shards)
                await self.cancel()
                return False
        return True

    async def cancel(self) -> None:
        """End all runs at once, or leave those whose handlers ignore it."""
        tasks = [task for _, task in self._tasks.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            _, deaf = await asyncio.wait(tasks, timeout=CANCEL_SECONDS)
            for task in deaf:
                _logger.error("a handler ignores its cancellation, and is left alone (%s)", task.get_name())

    # --- Making and ending a run --------------------------------------------------------------------

    def _new_run(self, tenure: Tenure) -> ShardRun:
        client = self._streams.by_key[tenure.stream]
        context = ShardContext(client.stream_name, tenure.shard_id, self._hooks)
        # An earlier run of this shard may still hold bytes of the budget, so the key is that of the run.
        key = f"{tenure.key}/{next(self._numbers)}"
        self.prefetch.add(key)
        feed = Feed(key, context, self.prefetch, self._options.max_batch_records)
        read = self._reading(key, tenure, feed, context)
        shard = LeasedShard(client.stream_name, tenure, self.leases, feed)
        follow = self._streams.follows_children
        return ShardRun(tenure, shard, feed, read, self._factory, self.leases, context, follows_children=follow)

    def _reading(
        self, key: str, tenure: Tenure, feed: Feed, context: ShardContext
    ) -> Callable[[], Coroutine[None, None, None]]:
        """Return the function that fills a feed: by polling, or over a subscription."""
        client, consumer = self._streams.by_key[tenure.stream], self._streams.consumers.get(tenure.stream)
        user_records = UserRecords(tenure.shard_id, tenure.hash_range, tenure.start, self._options.outside)
        now = context.now()
        arguments = (key, tenure.start, user_records, self.prefetch.budget, self._random, now)
        epoch, start_time = time.time() - now, self._options.start_time
        if consumer is None:
            poller = ShardReader(*arguments, epoch=epoch, start_time=start_time)
            return partial(poll, client, poller, feed, self.prefetch, context)
        subscriber = SubscriptionReader(*arguments, epoch=epoch, start_time=start_time)
        return partial(subscribe, client, consumer, subscriber, feed, self.prefetch, context)

    def _on_done(self, tenure: Tenure, task: asyncio.Task[None]) -> None:
        run, _ = self._tasks.pop(tenure)
        self.prefetch.remove(run.feed.key)
        if task.cancelled():
            return
        if error := task.exception():
            self._on_failure(error)
        elif run.feed.children is not None:
            self._on_end()
