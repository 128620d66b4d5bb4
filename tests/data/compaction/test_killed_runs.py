"""Runs that are killed, and runs at the same time: a reader finds each record once at every moment."""

from __future__ import annotations

import asyncio
import random
import shutil
import subprocess
import sys
from pathlib import Path

import obstore.store
import pytest

from tests.batcher.support import contents
from tests.data.compaction import killed_runs
from tests.data.compaction.support import fill, read_once, read_parquet, read_sources
from truckstream import audit, compact
from truckstream.data.compaction import completion
from truckstream.data.compaction.planning import planner

ROOT = Path(__file__).parents[3]
KILLS = 50


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_killed_run_loses_and_doubles_nothing(tmp_path):
    """Random moments by a printed seed: see killed_runs.py."""
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")  # noqa: T201 - shown if the test fails
    sources = tmp_path / "sources"
    sources.mkdir()
    await fill(obstore.store.LocalStore(sources), hours=2, per_hour=4)
    expected = await read_sources(obstore.store.LocalStore(sources))
    counting = DyingStore(copy_of(obstore.store.LocalStore(sources)), 10**9, after=False)
    await compact(counting)
    stores = [tmp_path / str(number) for number in range(KILLS)]
    for path in stores:
        shutil.copytree(sources, path)
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, killed_runs.__file__, str(seed), str(2 * counting.requests), *map(str, stores)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path), "PATH": ""},
    )
    print(f"{done.stdout.strip()} of {KILLS} runs were killed before they ended")  # noqa: T201
    assert int(done.stdout) > 0
    scratch = tmp_path / "scratch"
    for path in stores:
        store = obstore.store.LocalStore(path)
        for step in ("killed", "completed"):
            scratch.mkdir()
            assert await read_once(store, scratch) == expected, f"{path.name} {step}"
            shutil.rmtree(scratch)
            files = read_parquet(path / "compacted/**/*.parquet") if [*path.rglob("compacted/**/*.parquet")] else None
            assert files is None or files <= expected, f"{path.name} {step}"
            verified = await audit(store)
            assert verified.exit_status == 0, f"{path.name} {step}: {verified.findings}"
            await compact(store)
        assert read_parquet(path / "compacted/**/*.parquet") == expected
        assert (await compact(store)).files == []


class Killed(BaseException):
    """The process ends here."""


class DyingStore:
    """A store whose process is killed at its n-th request: before it is made, or after it was made."""

    def __init__(self, store, dies_at, *, after):
        self.store, self.dies_at, self.after = store, dies_at, after
        self.requests = 0

    def put(self, *args, **options):
        return self._request(self.store.put, *args, **options)

    def get(self, *args, **options):
        return self._request(self.store.get, *args, **options)

    def list(self, *args, **options):
        return self._request(self.store.list, *args, **options)

    put_async = get_async = None

    def _request(self, call, *args, **options):
        self.requests += 1
        if self.requests == self.dies_at and not self.after:
            raise Killed
        result = call(*args, **options)
        if self.requests >= self.dies_at:
            raise Killed
        return result


def copy_of(store):
    copy = obstore.store.MemoryStore()
    for key, content in contents(store).items():
        copy.put(key, content)
    return copy


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_run_may_be_killed_at_each_request(tmp_path, after):
    sources = obstore.store.MemoryStore()
    await fill(sources, per_hour=2)
    expected = await read_sources(sources)
    counting = DyingStore(copy_of(sources), 10**9, after=after)
    await compact(counting)
    for number in range(1, counting.requests + 1):
        store = copy_of(sources)
        with pytest.raises(Killed):
            await compact(DyingStore(store, number, after=after))
        assert await read_once(store, tmp_path) == expected
        await compact(store)
        assert await read_once(store, tmp_path) == expected
        files = [key for key in contents(store, "compacted") if key.endswith(".parquet")]
        assert len(files) == 1, "the hour has one file, as without the kill"


async def test_two_runs_at_the_same_time_make_one_file(tmp_path):
    store = obstore.store.MemoryStore()
    await fill(store, hours=2)
    reports = await asyncio.gather(compact(store), compact(store))
    assert await read_once(store, tmp_path) == await read_sources(store)
    assert len([key for key in contents(store, "compacted") if key.endswith(".parquet")]) == 2
    created = [each.key for report in reports for each in report.files if each.outcome == "created"]
    assert len(created) == len(set(created)) == 2


def interrupt(monkeypatch, module, part_of_key, what):
    """Let another run do something just before the first object with such a key is created."""
    create_once = module.create_once
    waiting = [what]

    async def create(store, key, body, content_type):
        if part_of_key in key and waiting:
            await waiting.pop()()
        return await create_once(store, key, body, content_type)

    monkeypatch.setattr(module, "create_once", create)


async def test_runs_that_see_different_sources_share_none(tmp_path, monkeypatch):
    """The second run begins later, sees a late object, and takes the number of the first one's plan."""
    store = obstore.store.MemoryStore()
    await fill(store)

    async def second_run():
        await fill(store, first=100, per_hour=1)
        report = await compact(store)
        assert [each.sources for each in report.files] == [5]

    interrupt(monkeypatch, planner, "_plans/", second_run)
    assert (await compact(store)).files == []
    assert await read_once(store, tmp_path) == await read_sources(store)
    assert len([key for key in contents(store, "compacted") if key.endswith(".parquet")]) == 1


async def test_a_run_that_comes_second_adopts_the_file(tmp_path, monkeypatch):
    store = obstore.store.MemoryStore()
    await fill(store)
    interrupt(monkeypatch, completion, ".parquet", lambda: compact(store))
    report = await compact(store)
    assert [(each.outcome, each.records) for each in report.files] == [("already there", 12)]
    assert await read_once(store, tmp_path) == await read_sources(store)


async def test_an_adopted_file_may_hold_fewer_sources(tmp_path, monkeypatch):
    """The other run could not read a source. This run could, but the file is there: the next one takes the source."""
    store = obstore.store.MemoryStore()
    await fill(store)
    key = min(contents(store))
    good = contents(store)[key]

    async def other_run():
        store.put(key, b"oops")
        await compact(store)
        store.put(key, good)

    interrupt(monkeypatch, completion, ".parquet", other_run)
    report = await compact(store)
    assert [each.key for each in report.broken] == [key]
    assert [each.sources for each in report.files] == [3]
    assert await read_once(store, tmp_path) == await read_sources(store)
    assert [each.sources for each in (await compact(store)).files] == [1]
    assert await read_once(store, tmp_path) == await read_sources(store)


async def test_a_file_without_a_manifest_counts_after_its_sources_are_deleted(tmp_path):
    """A run was killed before the manifest, and a lifecycle rule deleted the sources before the next run."""
    store = obstore.store.MemoryStore()
    await fill(store)
    expected = await read_sources(store)
    await compact(store)
    for key in contents(store):
        if "_manifests/" in key or key.startswith("sensor_data/"):
            store.delete(key)
    report = await compact(store)
    assert [(each.outcome, each.records) for each in report.files] == [("already there", 12)]
    assert await read_once(store, tmp_path) == expected
