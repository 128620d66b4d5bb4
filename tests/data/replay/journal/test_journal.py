"""The journal: intents are created in turn, and outcomes once."""

from __future__ import annotations

from datetime import UTC, datetime

import obstore.store
import pytest

from tests.batcher.support import contents
from tests.data.replay.journal.test_hour_log import intent
from truckstream.batcher.object_store.store import Store
from truckstream.data.replay.journal.entries import EntryName, Intent, Outcome, decode, encode
from truckstream.data.replay.journal.journal import Journal
from truckstream.errors import StoreError

HOUR = "2025-01-15T14"


async def journal_of(store, run="run", *, dry_run=False):
    journal = Journal(Store(store), "replayed", run, dry_run=dry_run)
    await journal.open()
    return journal


async def test_a_journal_that_is_read_again_is_the_same():
    store = obstore.store.MemoryStore()
    journal = await journal_of(store)
    first = await journal.append(HOUR, lambda _: intent("a", "b"))
    second = await journal.append("2025-01-15T15", lambda _: intent("c"))
    await journal.finish(first, Outcome(replayed=[(1, "49")]))
    read = await journal_of(store)
    assert read.unfinished() == [second]
    log = await read.log(HOUR)
    assert [log.state(each) for each in "abc"] == ["due", "replayed", "due"]
    assert [each.replayed for each in await read.outcomes_since(datetime(2025, 1, 1, tzinfo=UTC))] == [[(1, "49")]]
    assert await read.outcomes_since(datetime(2999, 1, 1, tzinfo=UTC)) == []


async def test_of_two_runs_the_second_sees_the_intent_of_the_first():
    store = obstore.store.MemoryStore()
    first, second = await journal_of(store, "first"), await journal_of(store, "second")
    assert await first.append(HOUR, lambda _: intent("a")) == EntryName(HOUR, 1)
    assert await second.append(HOUR, lambda _: intent("a")) is None
    assert (await second.log(HOUR)).state("a") == "under way"
    assert await second.append(HOUR, lambda _: intent("b")) == EntryName(HOUR, 2)
    assert await first.append(HOUR, lambda _: intent("c")) is None
    assert await first.append(HOUR, lambda _: intent("c")) == EntryName(HOUR, 3)


async def test_an_outcome_that_exists_stands():
    store = obstore.store.MemoryStore()
    first, second = await journal_of(store), await journal_of(store)
    name = await first.append(HOUR, lambda _: intent("a"))
    await second.open()
    await second.log(HOUR)
    await first.finish(name, Outcome(replayed=[(0, "49")]))
    await second.finish(name, Outcome(replayed=[]))
    assert (await second.log(HOUR)).state("a") == "replayed"


async def test_an_intent_whose_response_was_lost_is_ours():
    """The request is made again, and meets the object that the first one has made."""
    store = obstore.store.MemoryStore()
    journal = await journal_of(store)

    class LosesOne:
        def __getattr__(self, name):
            return getattr(store, name)

        def put(self, path, file, **options):
            store.put(path, file, **options)
            return store.put(path, file, **options)

    journal._store = Store(LosesOne())
    assert await journal.append(HOUR, lambda _: intent("a")) == EntryName(HOUR, 1)


async def test_a_dry_run_writes_nothing():
    store = obstore.store.MemoryStore()
    journal = await journal_of(store, dry_run=True)
    name = await journal.append(HOUR, lambda _: intent("a"))
    assert (await journal.log(HOUR)).state("a") == "under way"
    await journal.finish(name, Outcome(replayed=[(0, "")]))
    assert (await journal.log(HOUR)).state("a") == "replayed"
    assert contents(store) == {}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "truncated"),
        (encode(intent("a"))[:-5], "truncated"),
        (encode(Outcome(replayed=[])), "missing required field `run`"),
        (encode(Intent(run="", target="", at=0, stream="", shard="", items=[], version=2)), "version is 2"),
    ],
)
async def test_a_broken_journal_stops_a_replay(content, problem):
    store = obstore.store.MemoryStore()
    store.put("replayed/2025-01-15T14_00001.json.gz", content)
    journal = await journal_of(store)
    with pytest.raises(StoreError, match=rf"BrokenJournal: replayed/2025-01-15T14_00001.*{problem}"):
        await journal.log(HOUR)


def test_names_and_keys():
    name = EntryName(HOUR, 12)
    assert EntryName.parse(name.key("a/b")) == (name, False)
    assert EntryName.parse(name.key("a/b", done=True)) == (name, True)
    assert EntryName.parse("replayed/aws/lambda/x/2025-01-15T14.30.25-abc.stored.json") is None
    assert decode(Intent, "key", encode(intent("a"))) == intent("a")
