"""A target of a replay judges records, and carries out an intent."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from truckstream.batcher.reading.event import KinesisEvent
    from truckstream.batcher.reading.rejected_record import Refusal
    from truckstream.data.replay.journal.entries import EntryName, Intent, Item
    from truckstream.data.replay.reading.candidates import Refused
    from truckstream.errors import TruckstreamError

__all__ = ["CarriedOut", "Target"]


class CarriedOut(NamedTuple):
    """The outcomes of the records of an intent, each by its index."""

    #: With the new sequence numbers; "" in the store.
    replayed: list[tuple[int, str]]
    #: They certainly were not replayed, and why.
    refused: dict[int, Refused]
    #: They may have been replayed.
    unknown: list[int]
    #: An error that other records would meet, too, so that it ends the run.
    cause: TruckstreamError | None = None


class Target(Protocol):
    """Where records are replayed to."""

    #: As in `Intent.target`.
    name: str
    #: The most records in an intent.
    chunk_records: int
    #: Whether intents must be carried out one after the other.
    in_order: bool

    def check(self, event: KinesisEvent) -> Mapping[int, Refusal]:
        """Return why records are invalid, by index."""

    def object_of(self, stream: str, shard: str, items: Sequence[Item], name: EntryName) -> str | None:
        """Return the key of the object that will hold the records of an intent; None if there is none."""

    async def carry_out(self, intent: Intent, name: EntryName) -> CarriedOut:
        """Replay the records of an intent of this target."""
