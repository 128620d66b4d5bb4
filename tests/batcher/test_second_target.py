"""The second target of a batcher: it gets the stored records, and its failure changes nothing else."""

import asyncio

import pytest

from tests.batcher.support import ARN, SHARD, number, record, small, truck
from truckstream.batcher import Batcher
from truckstream.batcher.reading.event import read_event
from truckstream.batcher.reading.schema import read_schema
from truckstream.batcher.reading.validation import validate
from truckstream.batcher.result import Result
from truckstream.batcher.second_target import copy_stored
from truckstream.errors import InvalidArgumentError
from truckstream.record import TruckRecord


class Copies:
    """Keeps what it is given. `error` is raised instead; without `go` it waits."""

    def __init__(self, error=None, *, go=True):
        self.error, self.go, self.calls, self.cancelled = error, go, [], False

    async def write(self, stream, lines, places):
        if not self.go:
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled = True
        if self.error is not None:
            raise self.error
        self.calls.append((stream, places.shard, list(lines), places.numbers()))


def event(count=4, bad=()):
    return [record(b"?" if n in bad else truck(n), n) for n in range(count)]


async def test_it_gets_the_valid_records_after_they_are_stored(tmp_path):
    copies = Copies()
    result = await Batcher(tmp_path.as_uri(), second_target=copies).process(event(bad=[1]))
    assert (result.stored, result.rejected) == (3, 1)
    assert copies.calls == [(ARN, SHARD, [truck(0), truck(2), truck(3)], [number(0), number(2), number(3)])]


async def test_a_redelivery_passes_them_again(tmp_path):
    copies = Copies()
    batcher = Batcher(tmp_path.as_uri(), second_target=copies)
    for _ in range(2):
        await batcher.process(event())
    assert copies.calls[0] == copies.calls[1]


@pytest.mark.parametrize("error", [OSError("no route"), TimeoutError(), ValueError("\n")])
async def test_its_failure_is_logged_and_loses_or_doubles_no_object(tmp_path, caplog, error):
    plain, copied = tmp_path / "plain", tmp_path / "copied"
    expected = await Batcher(plain.as_uri()).process(event())
    batcher = Batcher(copied.as_uri(), second_target=Copies(error))
    result = await batcher.process(event())
    assert result.batch_item_failures() == {"batchItemFailures": []}
    assert (result.stored, result.objects) == (expected.stored, expected.objects)
    await batcher.process(event())
    assert sorted(p.name for p in (copied / "sensor_data").iterdir()) == sorted(
        p.name for p in (plain / "sensor_data").iterdir()
    )
    [first, _] = [each for each in caplog.records if each.levelname == "ERROR"]
    assert f"second target: stored records from {number(0)} on may be missing there: {type(error).__name__}" in (
        first.getMessage()
    )
    assert "\n" not in first.getMessage()


async def test_a_call_does_not_wait_for_it_beyond_its_time(tmp_path):
    copies = Copies(go=False)
    batcher = Batcher(tmp_path.as_uri(), second_target=copies, second_target_timeout=0.05)
    result = await batcher.process(event())
    assert (result.stored, copies.cancelled) == (4, True)


async def test_a_call_does_not_wait_for_it_beyond_its_deadline():
    copies = Copies(go=False)
    stored = validate(read_event(event()), read_schema(TruckRecord))
    await copy_stored(stored, Result(4, 4), copies, 1_000.0, asyncio.get_running_loop().time() + 0.05)
    assert copies.cancelled


async def test_records_that_are_not_stored_are_not_passed():
    copies = Copies()
    stored = []

    class Failing:
        async def put_async(self, path, *_, **__):
            if stored:
                raise OSError("no space")
            stored.append(path)

        async def get_async(self, path, **_):
            raise FileNotFoundError(path)

    batcher = Batcher(Failing(), batch_size=2, max_attempts=1, max_in_flight=1, schema=None, second_target=copies)
    result = await batcher.process([small(n) for n in range(4)])
    assert result.first_failed is not None
    passed = [each for call in copies.calls for each in call[3]]
    assert passed == [number(n) for n in range(4) if int(number(n)) < int(result.first_failed)]


def test_the_time_must_be_above_zero(tmp_path):
    with pytest.raises(InvalidArgumentError, match="second_target_timeout"):
        Batcher(tmp_path.as_uri(), second_target=Copies(), second_target_timeout=0)
