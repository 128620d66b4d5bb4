"""Replay the originals: the batches that Lambda gave up, and the rejected records that are due."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from truckstream.data.objects.catalog import store_url
from truckstream.data.objects.given_up import given_up_batches
from truckstream.data.objects.given_up_batch import FAILURE_FOLDER, given_up_at
from truckstream.data.replay.collecting import Collector
from truckstream.data.replay.execution import Execution
from truckstream.data.replay.journal.entries import hour_of
from truckstream.data.replay.reading.candidates import Candidate, Refused, judge
from truckstream.data.replay.reading.rejected import identify
from truckstream.data.replay.reading.repairing import repair_all
from truckstream.data.replay.reading.sources import rejected_objects
from truckstream.data.replay.report import BROKEN_LINE, BROKEN_OBJECT
from truckstream.errors import InvalidArgumentError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from truckstream.batcher.object_store.store import ObjectStore
    from truckstream.data.objects.catalog import Catalog
    from truckstream.data.replay.given_up_storing import GivenUpStoring
    from truckstream.data.replay.journal.journal import Journal
    from truckstream.data.replay.reading.repairing import Repair
    from truckstream.data.replay.reading.sources import RejectedObject
    from truckstream.data.replay.report import ReplayReport, RunningCounts
    from truckstream.data.replay.targets.target import Target

__all__ = ["RecordFilter", "SourceReplay", "select"]


class RecordFilter(NamedTuple):
    """Which records to replay."""

    reasons: frozenset[str]
    shards: frozenset[str]
    rejected_keys: Sequence[str]
    given_up_keys: frozenset[str]
    since: datetime | None
    until: datetime | None

    def has(self, reason: str, shard: str) -> bool:
        return (not self.reasons or reason in self.reasons) and (not self.shards or shard in self.shards)

    @property
    def only_keys(self) -> bool:
        return bool(self.rejected_keys or self.given_up_keys)


def select(
    reasons: Sequence[str],
    shards: Sequence[str],
    objects: Sequence[str],
    since: datetime | None,
    until: datetime | None,
) -> RecordFilter:
    """Return the selection that the arguments of `replay` describe.

    Raises:
        InvalidArgumentError: a time has no time zone.
    """
    for argument, time in (("since", since), ("until", until)):
        if time is not None and time.tzinfo is None:
            raise InvalidArgumentError(argument, time, "must have a time zone")
    given_up_keys = frozenset(key for key in objects if given_up_at(key) is not None)
    rejected_keys = [key for key in objects if key not in given_up_keys]
    return RecordFilter(frozenset(reasons), frozenset(shards), rejected_keys, given_up_keys, since, until)


class SourceReplay:
    """One run over the given-up batches and the rejected records."""

    def __init__(
        self,
        catalog: Catalog,
        target: Target,
        journal: Journal,
        account: RunningCounts,
        selection: RecordFilter,
        repair: Repair | None,
        stop: asyncio.Event,
        on_progress: Callable[[ReplayReport], None] | None,
    ) -> None:
        self.execution = Execution(journal, target, account)
        self._catalog = catalog
        self._target = target
        self._journal = journal
        self._account = account
        self._selection = selection
        self._repair = repair
        self._stop = stop
        self._on_progress = on_progress
        self._collector = Collector(self.execution, target)

    async def store_given_up(
        self, storing: GivenUpStoring, store: str | Path | ObjectStore, options: Mapping[str, Any]
    ) -> None:
        """Store the selected batches that Lambda gave up."""
        selection = self._selection
        if selection.only_keys and not selection.given_up_keys:
            return
        place = _place(store_url(store) if isinstance(store, str | Path) else None, FAILURE_FOLDER)

        def on_broken(key: str, problem: str) -> None:
            if not selection.only_keys or key in selection.given_up_keys:
                self._account.read(place)
                self._account.refuse(Refused(BROKEN_OBJECT, problem), key)

        batches = given_up_batches(store, since=selection.since, until=selection.until, on_broken=on_broken, **options)
        async for batch in batches:
            if self._stopped():
                return
            is_named = not selection.only_keys or batch.key in selection.given_up_keys
            if is_named and selection.has(batch.condition, batch.shard):
                self._account.read(place)
                await storing.store(batch)
                self._show()

    async def replay_rejected(self, counted: set[str]) -> None:
        """Replay the selected rejected records, except for those that are counted already."""
        selection = self._selection
        found = rejected_objects(
            self._catalog, keys=selection.rejected_keys, since=selection.since, until=selection.until
        )
        hour = ""
        try:
            async for each in found:
                if self._stopped():
                    break
                if hour_of(each.arrival.timestamp()) != hour:
                    await self._collector.flush()
                    hour = hour_of(each.arrival.timestamp())
                    self._journal.forget(hour)
                await self._replay_object(each, counted)
                self._show()
            await self._collector.flush()
        finally:
            await self._collector.close()

    async def _replay_object(self, source: RejectedObject, counted: set[str]) -> None:
        self._account.read(_place(self._catalog.url, self._catalog.rejected_prefix))
        for line in source.broken:
            self._account.refuse(Refused(BROKEN_LINE, f"line {line.number}: {line.problem}"), source.key)
        due: list[Candidate] = []
        for record_id, record in zip(identify(source.records), source.records, strict=True):
            if not self._selection.has(record.reason, record.shard) or record_id in counted:
                continue
            if self._collector.has(record_id):
                self._account.already_replayed += 1
                continue
            state = (await self._journal.log(hour_of(record.arrival))).state(record_id)
            if state == "due":
                due.append(Candidate(record_id, record))
            elif state == "replayed":
                self._account.already_replayed += 1
            else:
                self._note_under_way(record_id)
        if not due:
            return
        valid, refused = judge(due, await repair_all(self._repair, [each.record for each in due]), self._target.check)
        for each in refused:
            self._account.refuse(each, source.key)
        for (stream, shard), items in valid.items():
            await self._collector.add(stream, shard, items)

    def _note_under_way(self, record_id: str) -> None:
        if self.execution.is_own(record_id):
            return
        self._account.unknown_elsewhere += 1
        self._account.hint("Another replay is at work: run it again when that has ended.")

    def _stopped(self) -> bool:
        self._account.stopped = self._account.stopped or self._stop.is_set()
        return self._account.stopped

    def _show(self) -> None:
        if self._on_progress is not None:
            self._on_progress(self._account.report())


def _place(url: str | None, folder: str) -> str:
    return f"{url.rstrip('/')}/{folder}/" if url else f"{folder}/"
