"""The user's repair function is called for each record, whatever it does."""

from __future__ import annotations

import asyncio
import threading

import pytest

from truckstream.data.replay.reading.rejected import Rejected
from truckstream.data.replay.reading.repairing import RepairFailure, repair_all


def rejected(data=b"data"):
    return Rejected(
        reason="wrong_type",
        field="n",
        value=1,
        rule="rule",
        stream="arn",
        shard="shard",
        sequence_number="1",
        subsequence_number=None,
        partition_key="key",
        explicit_hash_key=None,
        arrival=0.0,
        data=data,
    )


class NoTextError(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def raise_(error):
    raise error


async def test_without_a_function_records_are_taken_as_they_are():
    assert await repair_all(None, [rejected(b"a"), rejected(None)]) == [b"a", None]


@pytest.mark.parametrize(
    ("repair", "expected"),
    [
        (lambda each: each.data + b"!", b"data!"),
        (lambda _: None, None),
        (lambda _: "text", RepairFailure("it returned str, and must return bytes, or None to leave it refused")),
        (lambda _: raise_(KeyError("n")), RepairFailure("KeyError: 'n'")),
        (lambda _: raise_(ValueError("a\nb")), RepairFailure("ValueError: a\\nb")),
        (lambda _: raise_(SystemExit(3)), RepairFailure("SystemExit: 3")),
        (lambda _: raise_(NoTextError()), RepairFailure("NoTextError: it has no text")),
    ],
    ids=range(7),
)
async def test_the_result_of_a_function(repair, expected):
    assert await repair_all(repair, [rejected()]) == [expected]


async def test_an_async_function_returns_no_bytes():
    async def repair(each):
        return each.data

    with pytest.warns(RuntimeWarning, match="never awaited"):
        (result,) = await repair_all(repair, [rejected()])
    assert "returned coroutine" in result.problem


async def test_a_function_that_never_returns_can_be_cancelled():
    entered, go_on = threading.Event(), threading.Event()

    def repair(_):
        entered.set()
        go_on.wait(30)
        return b""

    task = asyncio.create_task(repair_all(repair, [rejected()] * 1_000_000))
    await asyncio.to_thread(entered.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    threads = [each for each in threading.enumerate() if each.name == "truckstream-repair"]
    assert all(each.daemon for each in threads)  # it keeps no process alive
    go_on.set()
    for each in threads:
        await asyncio.to_thread(each.join, 30)  # and does not go on with the other records
        assert not each.is_alive()


async def test_a_million_records_are_repaired():
    calls = []

    def repair(each):
        calls.append(None)
        return each.data

    record = rejected()
    results = await repair_all(repair, [record] * 1_000_000)
    assert len(calls) == len(results) == 1_000_000
