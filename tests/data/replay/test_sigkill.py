"""Replays are killed by SIGKILL at random steps, and started again: each record is there once."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections import Counter

import obstore.store
import pytest

from tests.batcher.support import contents
from tests.data.processes import die, is_killed
from tests.data.replay.support import Strict, bad, fix, reject, stored
from truckstream.batcher import Batcher
from truckstream.data.replay import replay
from truckstream.data.replay.targets.single_attempt_client import SingleAttemptClient
from truckstream.local import LocalKinesis

RECORDS = 200


class LethalStore:
    """A directory in which the process dies before, during or after a PUT. 0 means never."""

    def __init__(self, folder, put, moment):
        self._store = obstore.store.LocalStore(folder)
        self._put = put
        self._moment = moment
        self._lock = threading.Lock()

    async def put_async(self, *_, **__):
        raise NotImplementedError("the blocking calls are used")

    get_async = put_async

    def __getattr__(self, name):
        return getattr(self._store, name)

    def put(self, path, file, **options):
        with self._lock:
            self._put -= 1
            is_last = self._put == 0
        if is_last and self._moment == "before":
            die()
        if is_last and self._moment == "during":
            threading.Thread(target=self._store.put, args=(path, file), kwargs=options).start()
            die()
        self._store.put(path, file, **options)
        if is_last:
            die()


class LethalClient(SingleAttemptClient):
    """The process dies while it waits for a response."""

    puts_left = 0

    async def put_records(self, records):
        type(self).puts_left -= 1
        if self.puts_left == 0:
            request = asyncio.ensure_future(super().put_records(records))
            await asyncio.sleep(0.002)
            die()
            await request
        return await super().put_records(records)


def repair_some(rejected, part):
    """Repair five of 50 records, other ones in each run; all if it is no part."""
    if part is None:
        return fix(rejected)
    return fix(rejected) if (int(json.loads(rejected.data)["n"]) * 7 + part) % 50 < 5 else None


def into_store(folder, part, put, moment):
    store = LethalStore(folder, put, moment)
    batcher = Batcher(store, schema=Strict, batch_size=2)
    asyncio.run(replay(store, batcher=batcher, repair=lambda each: repair_some(each, part)))


def into_stream(folder, part, put, moment, environment):
    os.environ.update(environment)
    LethalClient.puts_left = put if moment == "response" else 0
    client, target = "SingleAttemptClient", "truckstream.data.replay.targets.stream_target"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{target}.{client}", LethalClient)
        patch.setattr(f"{target}.StreamTarget.chunk_records", 5)
        store = LethalStore(folder, 0 if moment == "response" else put, moment)
        repair = lambda each: repair_some(each, part)  # noqa: E731
        asyncio.run(replay(store, stream="trucks", schema=Strict, repair=repair, put_timeout=0.5))


@pytest.fixture
async def folder(tmp_path):
    store = obstore.store.LocalStore(tmp_path)
    for start in range(0, RECORDS, 20):
        await reject(store, [bad(n) for n in range(start, start + 20)])
    return tmp_path


def unfinished(folder):
    """The number of intents without an outcome."""
    keys = contents(obstore.store.LocalStore(folder), "replayed").keys()
    done = {key.replace(".done", "") for key in keys if ".done" in key}
    return sum(".done" not in key and key not in done for key in keys)


async def test_into_a_directory(folder, chance):
    store = obstore.store.LocalStore(folder)
    kills, interrupted = 0, 0
    for part in range(50):
        moment = chance.choice(["before", "during", "after"])
        kills += await is_killed(into_store, folder, part, chance.randrange(1, 12), moment)
        interrupted += unfinished(folder) > 0
        assert max(stored(store).values(), default=0) <= 1
    assert kills > 10
    assert interrupted > 3
    report = await replay(store, batcher=Batcher(store, schema=Strict), repair=fix)
    assert report.ok
    assert stored(store) == Counter(range(RECORDS))


async def test_into_a_stream(folder, chance):
    interrupted = 0
    async with LocalKinesis("trucks", quotas=False, own_process=True) as kinesis:
        environment = {**kinesis.environment(), "NO_PROXY": "127.0.0.1", "AWS_CONFIG_FILE": "/dev/null"}
        for part in range(8):
            moment = ["before", "during", "after", "response"][part % 4]
            await is_killed(into_stream, folder, part * 6, chance.randrange(1, 4), moment, environment)
            interrupted += unfinished(folder) > 0
            found = Counter([json.loads(each.data)["n"] async for each in kinesis.stored()])
            assert max(found.values(), default=0) <= 1
        assert interrupted > 0
        assert not await is_killed(into_stream, folder, None, 0, "before", environment)
        assert Counter([json.loads(each.data)["n"] async for each in kinesis.stored()]) == Counter(range(RECORDS))
