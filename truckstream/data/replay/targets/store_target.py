"""Replay into the store: the records of an intent become one object.

The object is made by the batcher, whose keys follow from stream, shard and first record. In the metadata and in the
key, the stream of a replayed object is the record's own with the name of the intent:

    arn:aws:kinesis:us-east-1:123456789012:stream/trucks#replayed-2025-01-15T14_00001

So no replayed object has the key of an object that a function or a worker makes, and none is taken for another. An
intent always makes the same object, however often it is carried out, because it contains its records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from truckstream.batcher.grouping.batch_size import FULL_GROUP
from truckstream.data.replay.journal.entries import STORE
from truckstream.data.replay.reading.candidates import event_of
from truckstream.data.replay.targets.target import CarriedOut
from truckstream.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from truckstream.batcher import Batcher
    from truckstream.batcher.object_store.store import Store
    from truckstream.batcher.reading.event import KinesisEvent
    from truckstream.batcher.reading.rejected_record import Refusal
    from truckstream.data.replay.journal.entries import EntryName, Intent, Item

__all__ = ["ORIGIN", "StoreTarget", "origin_of"]

#: Between a stream's ARN and the name of the intent, in the metadata of a replayed object.
ORIGIN: Final = "#replayed-"


class StoreTarget:
    """Stores replayed records as objects.

    Args:
        batcher: makes the objects.
        store: the store, to look at objects.
    """

    name = STORE
    in_order = False

    def __init__(self, batcher: Batcher, store: Store) -> None:
        self._batcher = batcher
        self._store = store
        self.chunk_records = FULL_GROUP if batcher.batch_size == "auto" else batcher.batch_size

    def check(self, event: KinesisEvent) -> Mapping[int, Refusal]:
        return self._batcher.preview(event).refusals

    def object_of(self, stream: str, shard: str, items: Sequence[Item], name: EntryName) -> str | None:
        return self._batcher.preview(event_of(origin_of(stream, name), shard, items)).key

    async def carry_out(self, intent: Intent, name: EntryName) -> CarriedOut:
        """Store the records of an intent, or find that they are stored.

        Raises:
            ConfigurationError: the intent was begun by a run with other options, and its object is not stored.
            StoreError: they are not stored.
        """
        everything = CarriedOut([(index, "") for index in range(len(intent.items))], {}, [])
        event = event_of(origin_of(intent.stream, name), intent.shard, intent.items)
        preview = self._batcher.preview(event)
        if preview.refusals or preview.key != intent.object:
            # Its bytes or its key would differ. That matters only if the object is not stored yet.
            if intent.object is not None and await self._store.look(intent.object) is not None:
                return everything
            raise _other_options(intent)
        result = await self._batcher.store_group(event)
        if result.first_failed is not None:
            raise result.causes[0]
        return everything


def origin_of(stream: str, name: EntryName) -> str:
    """Return the stream in the metadata of the object that an intent makes."""
    return f"{stream}{ORIGIN}{name.hour}_{name.number:05}"


def _other_options(intent: Intent) -> ConfigurationError:
    problem = f"differ from those of the run that began {intent.object}, which is not stored yet"
    hint = "Run once with the format, compression, layout, prefix and schema of that run."
    return ConfigurationError("the options of the batcher", problem, hint)
