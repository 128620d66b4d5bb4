"""Store groups of all shards with one batcher, each until it is stored.

A group that cannot be stored holds its shard: it is tried again until it is stored or the caller is cancelled. Records
that are stored stay stored; the next attempt begins with the first record that is not.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from truckstream.worker.storing.backoff import wait_after
from truckstream.worker.storing.group_event import event_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from truckstream.batcher import Batcher
    from truckstream.batcher.result import Result
    from truckstream.kinesis.reading.shard_record import ShardRecord
    from truckstream.worker.storing.shard_status import ShardStatus

__all__ = ["GroupStorer"]

_logger = logging.getLogger("truckstream.worker")


class GroupStorer:
    """Stores groups of the shards of one stream.

    Args:
        batcher: stores the objects.
        stream_arn: the stream, as it is in Lambda's events, and so in the keys and the metadata of the objects.
        max_in_flight: the groups of all shards that are stored at the same time.
        random: varies the waits.
    """

    def __init__(self, batcher: Batcher, stream_arn: str, *, max_in_flight: int, random: Random) -> None:
        self._batcher = batcher
        self._stream_arn = stream_arn
        self._slots = asyncio.Semaphore(max_in_flight)
        self._random = random

    async def store(self, records: Sequence[ShardRecord], status: ShardStatus, previous: str | None = None) -> None:
        """Return when the group of these records is stored. A failure is logged, noted in `status` and tried again.

        `previous` is the sequence number of the shard's record before them, if it is known.
        """
        failures = 0
        while True:
            async with self._slots:
                event = event_of(self._stream_arn, status.shard_id, records, previous)
                result = await self._batcher.store_group(event)
            _count(result, status)
            if result.first_failed is None:
                return
            first = next(at for at, each in enumerate(records) if each.sequence_number == result.first_failed)
            previous = records[first - 1].sequence_number if first else previous
            records = records[first:]
            failures = 1 if first else failures + 1
            await self._wait(failures, records, result.causes[0], status)

    async def _wait(self, failures: int, records: Sequence[ShardRecord], cause: Exception, status: ShardStatus) -> None:
        wait = wait_after(failures, self._random)
        if status.fail(cause, asyncio.get_running_loop().time()):
            _logger.warning(
                "%s is held: %d records from %s are not stored, next attempt in %.1f s. %s",
                *(status.shard_id, len(records), records[0].sequence_number, wait, cause),
            )
        await asyncio.sleep(wait)


def _count(result: Result, status: ShardStatus) -> None:
    status.records_stored += result.stored
    status.records_rejected += result.rejected
    receipts = [*result.objects, *result.rejected_objects]
    created = sum(receipt.outcome == "created" for receipt in receipts)
    status.objects_created += created
    status.objects_found += len(receipts) - created
