"""The streams of a consumer: connecting to them, and listing their shards."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from truckstream.consumer.running.feeding.registered_consumer import RegisteredConsumer
from truckstream.errors import InvalidArgumentError
from truckstream.kinesis.failures import TRANSIENT, FailureKind, RequestFailedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from typing import TypeVar

    from truckstream.kinesis.reading.reading_client import ReadingClient
    from truckstream.kinesis.responses import StreamSummary
    from truckstream.kinesis.shard_map import Shard

    _T = TypeVar("_T")

__all__ = ["Streams", "stream_key"]

_logger = logging.getLogger("truckstream.consumer")

#: Seconds between two attempts at a call about a stream.
RETRY_SECONDS: Final = 0.5

#: Seconds after which a listing is given up. It is made again with the next one.
LIST_SECONDS: Final = 10.0


class Streams:
    """The clients of one consumer.

    Args:
        clients: a client for each stream.
        shards: the ids of the shards to read; None for all.
        named: whether leases carry the names of their streams. With one stream they need not.
    """

    def __init__(self, clients: Sequence[ReadingClient], shards: Sequence[str] | None, *, named: bool) -> None:
        self._clients = clients
        self._shards = None if shards is None else frozenset(shards)
        self._named = named
        #: By the stream's part of the lease keys, once open.
        self.by_key: dict[str | None, ReadingClient] = {}
        #: The registered consumer of each stream; empty without enhanced fan-out.
        self.consumers: dict[str | None, RegisteredConsumer] = {}

    async def open(self, seconds: float, fan_out_name: str | None = None) -> None:
        """Connect to all streams, and register a consumer of this name. Failures that can pass are retried.

        `seconds` is how long all of it may take.

        Raises:
            StreamNotFoundError: there is no such stream in this account and region.
            ServiceError: the service cannot be reached, or rejects the calls; the last failure.
            InvalidArgumentError: the stream has no shard of a given id.
        """
        deadline = asyncio.get_running_loop().time() + seconds
        for client in self._clients:
            await client.open()
            key = await _retried(partial(self._key_of, client), deadline)
            self.by_key[key] = client
        found = await _retried(self._list, deadline)
        if self._shards is not None:
            listed = {shard.shard_id for shards in found.values() for shard in shards}
            if missing := sorted(self._shards - listed):
                rule = f"must be shards of the stream, which has {len(listed)}: `truckstream streams NAME` lists them"
                raise InvalidArgumentError("shards", missing, rule)
        if fan_out_name is not None:
            for key, client in self.by_key.items():
                self.consumers[key] = consumer = RegisteredConsumer(client, fan_out_name)
                await _retried(consumer.register, deadline)

    async def close(self) -> None:
        """Disconnect."""
        async with AsyncExitStack() as clients:  # closes all, even if the caller is cancelled in one
            for client in self._clients:
                clients.push_async_callback(client.close)

    async def list_shards(self) -> Mapping[str | None, Sequence[Shard]]:
        """Return the shards to read, by the stream's part of the lease keys.

        Raises:
            ServiceError: they cannot be listed, not even within `LIST_SECONDS`.
        """
        listed = await _retried(self._list, asyncio.get_running_loop().time() + LIST_SECONDS)
        if self._shards is None:
            return listed
        # A shard that was named by its id is read at once, without regard to its parents.
        wanted = self._shards
        return {
            key: [replace(shard, parent_ids=()) for shard in shards if shard.shard_id in wanted]
            for key, shards in listed.items()
        }

    @property
    def follows_children(self) -> bool:
        """Whether shards that a reshard makes are read, too."""
        return self._shards is None

    async def _list(self) -> Mapping[str | None, Sequence[Shard]]:
        keys, clients = self.by_key.keys(), self.by_key.values()
        return dict(zip(keys, await asyncio.gather(*(client.list_shards() for client in clients)), strict=True))

    async def _key_of(self, client: ReadingClient) -> str | None:
        """Return the stream's part of its lease keys."""
        if not self._named:
            return None
        return stream_key(await client.summary(), client.stream_name)


def stream_key(summary: StreamSummary, stream_name: str) -> str:
    """Return a stream's part of lease keys, as the KCL writes it: account, name and second of creation."""
    account = summary.arn.split(":")[4] if summary.arn else ""
    return f"{account}:{stream_name}:{int(summary.created_at)}"


async def _retried(call: Callable[[], Awaitable[_T]], deadline: float) -> _T:
    loop = asyncio.get_running_loop()
    while True:
        limit = asyncio.timeout_at(deadline)
        try:
            async with limit:
                return await call()
        except TimeoutError as error:
            if not limit.expired():
                raise
            text = "the stream could not be listed in time"
            raise RequestFailedError(FailureKind.NOT_SENT, "TimeoutError", text).to_service_error() from error
        except RequestFailedError as failure:
            if failure.kind not in TRANSIENT or loop.time() + RETRY_SECONDS > deadline:
                raise failure.to_service_error() from failure
            _logger.info("a call failed, and is made again: %s (%s)", failure.code, failure.kind.value)
        await asyncio.sleep(RETRY_SECONDS)
