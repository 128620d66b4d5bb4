"""Append intents to the journal, carry them out, write their outcomes, and count."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from truckstream.data.replay.journal.entries import STORE, EntryName, Intent, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from truckstream.data.replay.journal.entries import Item
    from truckstream.data.replay.journal.journal import Journal
    from truckstream.data.replay.report import RunningCounts
    from truckstream.data.replay.targets.target import Target

__all__ = ["Execution"]


class Execution:
    """Replays records by intents.

    Args:
        journal: the journal.
        target: where the records go.
        account: counts them.
    """

    def __init__(self, journal: Journal, target: Target, account: RunningCounts) -> None:
        self.journal = journal
        self.account = account
        self._target = target
        #: Whether an intent of this run was left without an outcome.
        self.has_unknown = False
        self._own: set[str] = set()

    def is_own(self, record_id: str) -> bool:
        """Return whether a record is in an intent of this run that has no outcome."""
        return record_id in self._own

    async def append(
        self, hour: str, stream: str, shard: str, items: Sequence[Item]
    ) -> tuple[Intent, EntryName] | None:
        """Write the intent to replay those of the items that are due; return None if none are."""
        log = await self.journal.log(hour)
        while due := [item for item in items if log.state(item.id) == "due"]:

            def intent_of(number: int, due: list[Item] = due) -> Intent:
                return Intent(
                    run=self.journal.run,
                    target=self._target.name,
                    at=time.time(),
                    stream=stream,
                    shard=shard,
                    items=due,
                    object=self._target.object_of(stream, shard, due, EntryName(hour, number)),
                )

            if (name := await self.journal.append(hour, intent_of)) is not None:
                self._own.update(item.id for item in due)
                return log.unfinished[name.number], name
        return None

    async def carry_out(self, intent: Intent, name: EntryName) -> list[str]:
        """Carry out an intent and write its outcome, unless a record of it is unknown.

        Returns the identities of the records that are counted now.

        Raises:
            TruckstreamError: the target cannot take any record.
        """
        if self.journal.dry_run:
            self.account.replayed += len(intent.items)
            return [item.id for item in intent.items]
        done = await self._target.carry_out(intent, name)
        if done.unknown:
            self.has_unknown = True
            return []
        for refused in done.refused.values():
            self.account.refuse(refused, name.key(self.journal.folder))
        await self.finish(intent, name, done.replayed)
        if done.cause is not None:
            raise done.cause
        return [item.id for item in intent.items]

    async def finish(self, intent: Intent, name: EntryName, replayed: Sequence[tuple[int, str]]) -> None:
        """Write the outcome of an intent, and count its replayed records."""
        await self.journal.finish(name, Outcome(replayed=list(replayed)))
        self._own.difference_update(item.id for item in intent.items)
        if intent.run == self.journal.run or intent.target == STORE:
            self.account.replayed += len(replayed)
        else:  # a recovery has found them in the stream
            self.account.already_replayed += len(replayed)
