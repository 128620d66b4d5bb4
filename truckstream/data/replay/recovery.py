"""Finish what an earlier run, or this one, has begun: carry out or resolve the intents that have no outcome.

- Into the store: the intent is carried out again. It makes the same object, or finds it.
- Into the stream: records of the intent may be there or not. Once none of them can arrive any more, the stream is read
  from the intent's time on. Records that are found are replayed. The others certainly are not, so they are put now, in
  a new intent, which takes them over from the old one. That is only known while the stream still holds all records
  since the intent; afterwards they are unknown, and put only if the caller asks for it.

The new intent is created before the outcome of the old one. A run that is killed in between leaves two intents; the log
goes by the last one (`journal/hour_log.py`).
"""

from __future__ import annotations

import asyncio
import math
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from truckstream.data.replay.journal.entries import STORE
from truckstream.data.replay.targets.stream_matching import CLOCK_DIFFERENCE, OpenIntent, StreamMatching
from truckstream.data.replay.targets.stream_target import StreamTarget
from truckstream.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from truckstream.data.replay.execution import Execution
    from truckstream.data.replay.journal.entries import EntryName, Intent
    from truckstream.data.replay.targets.target import Target

__all__ = ["Recovery"]


class Recovery:
    """Finishes intents.

    Args:
        execution: carries intents out and counts.
        target: the target of this run.
        stop: once it is set, nothing is waited for.
        resend_unknown: whether unknown records are put again.
    """

    def __init__(self, execution: Execution, target: Target, stop: asyncio.Event, *, resend_unknown: bool) -> None:
        self._execution = execution
        self._journal = execution.journal
        self._account = execution.account
        self._target = target
        self._stop = stop
        self._resend_unknown = resend_unknown
        #: The records that were counted here, so that they are not counted again when their originals are read.
        self.counted: set[str] = set()

    async def run(self) -> None:
        """Finish all intents of the journal that can be finished with this run's target."""
        await self._journal.open()
        self._account.unknown = 0
        for_stream: list[OpenIntent] = []
        for name in self._journal.unfinished():
            log = await self._journal.log(name.hour)
            if name.number not in log.unfinished:
                continue
            intent, indices = log.unfinished[name.number], log.open_items(name.number)
            if intent.target != self._target.name:
                self._leave([OpenIntent(name, intent, indices)], _hint_for(intent))
            elif intent.target == STORE:
                self.counted.update(await self._execution.carry_out(intent, name))
            else:
                for_stream.append(OpenIntent(name, intent, indices))
        if for_stream and isinstance(self._target, StreamTarget):
            await self._resolve(for_stream, self._target)

    async def _resolve(self, intents: Sequence[OpenIntent], stream: StreamTarget) -> None:
        settled_at = max(stream.settled_at(each.intent) for each in intents)
        now = time.time()
        if now < settled_at and (self._journal.dry_run or await self._is_stopped_within(settled_at - now)):
            seconds = math.ceil(settled_at - time.time())
            self._leave(intents, f"Records that an interrupted run has put may still arrive: ask again in {seconds} s.")
            return
        kept = [each for each in intents if stream.still_holds(each.intent.at - CLOCK_DIFFERENCE, time.time())]
        lost = [each for each in intents if each not in kept]
        found: Mapping[EntryName, list[tuple[int, str]]] = {}
        if kept:
            try:
                found = await self._search(kept, stream)
            except ServiceError as error:
                kept, lost = [], list(intents)
                self._account.hint(f"The stream cannot be read to find out: {error}")
        for each in kept:
            await self._settle(each, found[each.name])
        if self._resend_unknown:
            for each in lost:
                await self._settle(each, [])
        elif lost:
            self._leave(lost, "The stream cannot show any more what became of them: --resend-unknown puts them again.")

    async def _is_stopped_within(self, seconds: float) -> bool:
        """Wait until the time has passed, or the run is to stop."""
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            return False
        return True

    async def _search(
        self, intents: Sequence[OpenIntent], stream: StreamTarget
    ) -> Mapping[EntryName, list[tuple[int, str]]]:
        earliest = min(each.intent.at for each in intents) - 2 * CLOCK_DIFFERENCE
        outcomes = await self._journal.outcomes_since(datetime.fromtimestamp(max(0.0, earliest), UTC))
        matching = StreamMatching(intents, (number for each in outcomes for _, number in each.replayed))
        await stream.search(matching)
        return matching.found()

    async def _settle(self, open_intent: OpenIntent, found: Sequence[tuple[int, str]]) -> None:
        """Put the records of an intent that were not found, and write its outcome."""
        name, intent, indices = open_intent
        is_found = {index for index, _ in found}
        missing = [intent.items[index] for index in indices if index not in is_found]
        new: tuple[Intent, EntryName] | None = None
        if missing:
            new_intent = msgspec.structs.replace(intent, items=missing, run=self._journal.run, at=time.time())
            appended = await self._journal.append(name.hour, lambda _: new_intent)
            if appended is None:
                self._leave([open_intent], "Another replay is at work: run it again when that has ended.")
                return
            new = new_intent, appended
        await self._execution.finish(intent, name, found)
        self.counted.update(intent.items[index].id for index in is_found)
        if new is not None:
            self.counted.update(await self._execution.carry_out(*new))

    def _leave(self, intents: Sequence[OpenIntent], hint: str) -> None:
        self._account.unknown += sum(len(each.indices) for each in intents)
        self.counted.update(each.intent.items[index].id for each in intents for index in each.indices)
        self._account.hint(hint)


def _hint_for(intent: Intent) -> str:
    if intent.target == STORE:
        return "A run into the store was interrupted: run it again without a stream."
    return f"A run into {intent.target} was interrupted: run it again with this stream."
