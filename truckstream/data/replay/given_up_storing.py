"""Store the batches that Lambda gave up, as the function would have stored them.

`Batcher.process` gets the original event. So it makes the very objects that the function would have made, or finds
those that the function, or an event source mapping that was created again, has made meanwhile.

These batches never go into the stream. A function stores groups in parallel, so some groups of a batch that it gave up
are usually stored. In the stream their records would get new sequence numbers, and be stored again.

A marker beside the journal notes each batch that is stored, because its objects may be compacted and deleted later:

    replayed/aws/lambda/<mapping's UUID>/<shard>/2025/01/15/2025-01-15T14.30.25-<UUID>.stored.json
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from truckstream.batcher.grouping.batch_size import FULL_GROUP
from truckstream.batcher.reading.aggregates import expand_aggregates
from truckstream.batcher.reading.event import read_event
from truckstream.data.replay.reading.candidates import Refused
from truckstream.data.replay.report import BROKEN_OBJECT, NO_RECORDS
from truckstream.errors import InvalidArgumentError

if TYPE_CHECKING:
    from truckstream.batcher import Batcher
    from truckstream.batcher.object_store.store import Store
    from truckstream.batcher.result import Result
    from truckstream.data.objects.given_up_batch import GivenUpBatch
    from truckstream.data.replay.report import RunningCounts

__all__ = ["GivenUpStoring"]


class _Marker(msgspec.Struct):
    """A batch that was stored. Its invalid records lie below `rejected/`, and are counted from there."""

    records: int
    valid: int


class GivenUpStoring:
    """Stores batches that Lambda gave up.

    Args:
        batcher: has the options of the function.
        store: the store, for the markers.
        folder: the folder of the journal.
        account: counts.
        dry_run: whether nothing may be written.
    """

    def __init__(self, batcher: Batcher, store: Store, folder: str, account: RunningCounts, *, dry_run: bool) -> None:
        self._batcher = batcher
        self._store = store
        self._folder = folder
        self._account = account
        self._dry_run = dry_run

    async def store(self, batch: GivenUpBatch) -> None:
        """Store a batch, or find that it is stored.

        Raises:
            StoreError: not all of it is stored.
        """
        account = self._account
        if batch.records is None:
            detail = (
                f"the document names the records {batch.first_sequence_number} to {batch.last_sequence_number} of "
                f"{batch.shard}, and does not contain them: read them from the stream"
            )
            account.refuse(Refused(NO_RECORDS, detail), batch.key, batch.size)
            return
        marker = f"{self._folder}/{batch.key}.stored.json"
        if await self._store.look(marker) is not None:
            account.already_replayed += await self._valid_in(marker)
        elif self._dry_run:
            await self._preview(batch.key, batch.records)
        elif not await self._process(batch.key, batch.records, marker):
            return
        account.given_up_batches += 1

    async def _valid_in(self, marker: str) -> int:
        return msgspec.json.decode(await self._store.read(marker), type=_Marker).valid

    async def _preview(self, key: str, records: list[dict[str, Any]]) -> None:
        """Count what would be done. A batch counts as stored if its first group is."""
        try:
            event = read_event(records)
        except InvalidArgumentError as error:
            self._account.refuse(Refused(BROKEN_OBJECT, str(error)), key, len(records))
            return
        size = self._batcher.batch_size
        is_stored: bool | None = None
        for part in expand_aggregates(event, FULL_GROUP if size == "auto" else size):
            preview = self._batcher.preview(part)
            if is_stored is None:
                is_stored = await self._store.look(preview.key) is not None
            valid = len(part) - len(preview.refusals)
            if is_stored:
                self._account.already_replayed += valid
                continue
            self._account.replayed += valid
            for refusal in preview.refusals.values():
                self._account.refuse(Refused(refusal.code, refusal.rule), key)

    async def _process(self, key: str, records: list[dict[str, Any]], marker: str) -> bool:
        try:
            result = await self._batcher.process(records)
        except InvalidArgumentError as error:
            self._account.refuse(Refused(BROKEN_OBJECT, str(error)), key, len(records))
            return False
        if result.first_failed is not None:
            raise result.causes[0]
        await self._store.create(marker, msgspec.json.encode(_Marker(result.received, result.stored)), {})
        self._count(result)
        return True

    def _count(self, result: Result) -> None:
        """Count the records by their objects. Rejected ones are stored below `rejected/`, and counted from there."""
        for receipt in result.objects:
            if receipt.outcome == "created":
                self._account.replayed += receipt.records
            else:
                self._account.already_replayed += receipt.records
