"""A consumer in memory: one worker's view of some shards, each with a lease and some records."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

from tests.worker.support import ModelLease, ModelShard

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from truckstream.consumer.shard_processor import ShardProcessor
    from truckstream.kinesis.reading.shard_record import ShardRecord


class ModelConsumer:
    """Passes the records of each shard on in pages. With `is_closed`, the shards end after their records."""

    def __init__(self, shards: Mapping[str, Sequence[ShardRecord]], *, is_closed: bool = False) -> None:
        self.leases = {shard_id: ModelLease() for shard_id in shards}
        self.is_open = False
        self.lease_table_silence: float | None = None
        self.error: Exception | None = None
        self._shards = shards
        self._is_closed = is_closed
        self._processors: list[ShardProcessor] = []
        self._closing = asyncio.Event()

    async def __aenter__(self) -> Self:
        self.is_open = True
        self.lease_table_silence = 0.5
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
        self.is_open = False

    async def run_processors(self, factory: Callable[[Any], ShardProcessor]) -> None:
        async with asyncio.TaskGroup() as tasks:
            for shard_id, records in self._shards.items():
                shard = self.leases[shard_id].assign()
                shard.shard_id = shard_id
                tasks.create_task(self._read(shard, factory, records))
        if self.error:
            raise self.error
        await self._closing.wait()

    async def close(self, timeout: float = 30.0) -> bool:  # noqa: ASYNC109, ARG002 - as the consumer has it
        for processor in self._processors:
            processor.end_soon()
        self._closing.set()
        return True

    async def _read(self, shard: ModelShard, factory: Callable[[Any], ShardProcessor], records: Any) -> None:
        processor = factory(shard)
        self._processors.append(processor)
        for start in range(0, len(records), 50):
            await processor.process(records[start : start + 50], 0)
        if not self._is_closed:
            await self._closing.wait()
        await processor.finish("shard_end" if self._is_closed else "close")
