"""The journal in the store: read it, append intents and write outcomes.

Objects are created, never overwritten. The run that creates an intent's object has decided that its records are
replayed; if the object exists already, another run was first, and its intent is read before anything is decided again.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from truckstream.data.replay.journal.entries import EntryName, Intent, Outcome, decode, encode
from truckstream.data.replay.journal.hour_log import HourLog

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from truckstream.batcher.object_store.store import Store

__all__ = ["Journal"]

#: Intents that are read at the same time. Each may hold some MiB of records.
_READS_AT_ONCE: Final = 8


class _Listed(NamedTuple):
    """The journal as a listing shows it: the numbers of an hour's intents, and of those with an outcome."""

    intents: set[int]
    outcomes: dict[int, datetime]


class Journal:
    """The journal of one store.

    Args:
        store: the store.
        folder: the folder of the journal.
        run: the identity of this run.
        dry_run: whether nothing may be written. Then an intent is added to the log, but not to the store.
    """

    def __init__(self, store: Store, folder: str, run: str, *, dry_run: bool) -> None:
        self.folder = folder
        self.run = run
        self.dry_run = dry_run
        self._store = store
        self._listed: dict[str, _Listed] = defaultdict(lambda: _Listed(set(), {}))
        self._logs: dict[str, HourLog] = {}

    async def open(self) -> None:
        """List the journal. Its intents are read when they are needed."""
        async for chunk in self._store.list(self.folder):
            for each in chunk:
                if (parsed := EntryName.parse(each.key)) is not None:
                    self._note(*parsed, each.modified)

    def unfinished(self) -> list[EntryName]:
        """Return the intents that had no outcome when the journal was listed, in their order."""
        return [
            EntryName(hour, number)
            for hour, listed in sorted(self._listed.items())
            for number in sorted(listed.intents - listed.outcomes.keys())
        ]

    async def log(self, hour: str) -> HourLog:
        """Return the log of an hour."""
        if hour not in self._logs:
            self._logs[hour] = HourLog()
            await self._read(hour)
        return self._logs[hour]

    def forget(self, hours_before: str) -> None:
        """Free the memory of the logs of earlier hours. They are read again if they are needed again."""
        for hour in [each for each in self._logs if each < hours_before]:
            del self._logs[hour]

    async def append(self, hour: str, intent_of: Callable[[int], Intent]) -> EntryName | None:
        """Create the next intent of an hour; return None if another run was first, whose intent is in the log now.

        Args:
            hour: the hour.
            intent_of: makes the intent with a number.
        """
        log = await self.log(hour)
        name = EntryName(hour, log.next_number)
        intent = intent_of(name.number)
        if not self.dry_run and not await self._store.create(name.key(self.folder), encode(intent), {}):
            found = await self._read_intent(name)
            # The response to our own request may have been lost, and a retry has met the object that it made.
            if found.run != self.run or found != intent:
                await self._list_hour(hour)
                await self._read(hour)
                return None
        log.add(name.number, intent)
        return name

    async def finish(self, name: EntryName, outcome: Outcome) -> None:
        """Write the outcome of an intent. If there is one already, it stands."""
        if not self.dry_run and not await self._store.create(name.key(self.folder, done=True), encode(outcome), {}):
            outcome = await self._read_outcome(name)
        (await self.log(name.hour)).finish(name.number, outcome)

    async def outcomes_since(self, time: datetime) -> list[Outcome]:
        """Return the outcomes that were listed, and written since a time."""
        names = [
            EntryName(hour, number)
            for hour, listed in self._listed.items()
            for number, modified in listed.outcomes.items()
            if modified >= time
        ]
        return [await self._read_outcome(name) for name in names]

    def _note(self, name: EntryName, is_outcome: bool, modified: datetime) -> None:  # noqa: FBT001 - as parsed
        listed = self._listed[name.hour]
        if is_outcome:
            listed.outcomes[name.number] = modified
        else:
            listed.intents.add(name.number)

    async def _list_hour(self, hour: str) -> None:
        async for chunk in self._store.list(self.folder, after=f"{self.folder}/{hour}"):
            for each in chunk:
                if (parsed := EntryName.parse(each.key)) is not None and parsed[0].hour == hour:
                    self._note(*parsed, each.modified)
            if self._store.lists_in_order and chunk and chunk[-1].key > f"{self.folder}/{hour}~":
                return

    async def _read(self, hour: str) -> None:
        """Add the listed intents of an hour to its log, after those that are there."""
        log, listed = self._logs[hour], self._listed[hour]
        numbers = sorted(number for number in listed.intents if number >= log.next_number)
        for start in range(0, len(numbers), _READS_AT_ONCE):
            names = [EntryName(hour, number) for number in numbers[start : start + _READS_AT_ONCE]]
            for name, intent in zip(names, await asyncio.gather(*map(self._read_intent, names)), strict=True):
                outcome = await self._read_outcome(name) if name.number in listed.outcomes else None
                log.add(name.number, intent, outcome)

    async def _read_intent(self, name: EntryName) -> Intent:
        key = name.key(self.folder)
        return decode(Intent, key, await self._store.read(key))

    async def _read_outcome(self, name: EntryName) -> Outcome:
        key = name.key(self.folder, done=True)
        return decode(Outcome, key, await self._store.read(key))
