"""Processes that work on a store and are killed with SIGKILL at a chosen request."""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import os
import signal
from typing import TYPE_CHECKING, Any

from truckstream.batcher.object_store.threaded_store import ThreadedStore
from truckstream.cloud.aws_account import Account

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

#: Its processes are forked from one that has loaded the tests and has no threads: forking this one is not safe.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["tests.data.replay.test_sigkill", "tests.data.s3.test_compact", "tests.data.s3.test_replay"]
)

#: When a process dies: the request was not sent, may have been carried out, or was carried out.
MOMENTS = ("before", "during", "after")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(request: int, moment: str) -> None:
    """Let this process die at a request to a store or to AWS, counted from 1. 0 means never."""
    numbers = itertools.count(1)

    async def send(call: Callable[[], Awaitable[Any]]) -> Any:
        if next(numbers) != request:
            return await call()
        if moment == "during":
            await asyncio.wait([asyncio.ensure_future(call())], timeout=0.002)
        if moment == "after":
            await call()
        return die()

    run, find = ThreadedStore._run, Account.find
    ThreadedStore._run = lambda store, call: send(lambda: run(store, call))
    Account.find = lambda account, *names, **options: send(lambda: find(account, *names, **options))


async def is_killed(work: Callable[..., None], *arguments: Any) -> bool:
    """Run a process; return whether it was killed."""
    process = PROCESSES.Process(target=work, args=arguments, daemon=True)
    process.start()
    await asyncio.to_thread(process.join, 60)
    assert process.exitcode in {0, -signal.SIGKILL}
    return process.exitcode != 0
