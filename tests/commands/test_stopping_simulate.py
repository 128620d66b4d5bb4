"""`truckstream simulate` and signals: records that were put are delivered and counted, and the command never hangs."""

import asyncio
import json
import os
import re
import signal
from pathlib import Path

import pytest

from tests.commands import support
from truckstream.local import Fault, LocalKinesis
from truckstream.simulator.__main__ import RECORDS_AHEAD

pytestmark = pytest.mark.timeout(300)

#: Seconds to wait for an event that takes a second or two on an idle machine.
PATIENCE = 120

OUTAGE = Fault("error-before", operations=["PutRecords"])


@pytest.fixture
async def kinesis():
    async with LocalKinesis(shards=2, stream="simulated", own_process=True) as kinesis:
        yield kinesis


async def until(condition):
    """Poll until a condition of another process holds, and return its result."""
    async with asyncio.timeout(PATIENCE):
        while not (found := await condition()):  # noqa: ASYNC110 - another process cannot set an event
            await asyncio.sleep(0.05)
    return found


class Command:
    """The command under test and its workers."""

    def __init__(self, kinesis, *arguments):
        endpoint = ("--endpoint-url", kinesis.endpoint_url)
        self.process = support.start(
            "simulate", "--stream=simulated", "--trucks=20", *endpoint, *arguments, **support.AWS
        )
        self.send = self.process.send_signal

    async def workers(self, count):
        """Wait until so many workers run, and return their process IDs."""

        async def found():
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()  # noqa: ASYNC240
            numbers = [int(number) for number in children.split()]
            return numbers if len(numbers) >= count else None

        return await until(found)

    async def end(self):
        """Return its exit status, output and error output."""
        out, err = await asyncio.to_thread(self.process.communicate, timeout=PATIENCE)
        assert "Traceback" not in err, err
        return self.process.returncode, out, err


@pytest.fixture
def start(kinesis):
    started = []

    def start(*arguments):
        started.append(Command(kinesis, *arguments))
        return started[-1]

    yield start
    for command in started:
        if command.process.poll() is None:
            command.process.kill()
            command.process.communicate()


def count(word, out):
    return int(re.search(rf"([\d,]+) {word}", out)[1].replace(",", ""))


async def wait_for_records(kinesis, at_least):
    """Wait until so many records are stored."""

    async def enough():
        return (await kinesis.stats()).records_in >= at_least

    await until(enough)


def is_alive(number):
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
async def test_a_signal_stops_the_trucks_and_delivers_the_records_that_were_put(kinesis, start, number):
    command = start("--workers", "2")
    await wait_for_records(kinesis, 100)
    command.send(number)
    status, out, err = await command.end()
    assert (status, err) == (0, "")
    stored = [record async for record in kinesis.stored()]
    assert count("put", out) == count("acknowledged", out) == len(stored) >= 100
    assert count("buffered", out) == count("failed", out) == 0


@pytest.mark.slow
async def test_a_signal_during_an_outage_waits_until_the_outage_ends(kinesis, start):
    command = start("--rate", "200")
    await wait_for_records(kinesis, 50)
    await kinesis.inject(Fault("error-before", operations=["PutRecords"], until=3.0))
    await asyncio.sleep(0.5)
    command.send(signal.SIGTERM)
    status, out, err = await command.end()
    assert (status, err) == (0, "waiting for the stream: InternalFailure: HTTP status 500\n")
    assert count("put", out) == count("acknowledged", out) == len([record async for record in kinesis.stored()])


async def test_a_second_signal_gives_up_undelivered_records_and_reports_how_many(kinesis, start):
    command = start("--workers", "2", "--rate", "500")
    await wait_for_records(kinesis, 100)
    await kinesis.inject(OUTAGE)
    await asyncio.sleep(1.0)
    for number in (signal.SIGINT, signal.SIGTERM):  # two signals of one kind can be merged into one
        command.send(number)
    status, out, err = await command.end()
    assert status == 130
    assert count("failed", out) > 0
    assert count("put", out) == count("acknowledged", out) + count("failed", out)
    assert "closed" in err


async def test_a_signal_before_the_first_record_is_not_an_error(kinesis, start):
    command = start()
    await command.workers(1)
    command.send(signal.SIGTERM)
    status, out, err = await command.end()
    assert (status, err) == (0, "")
    assert count("put", out) == len([record async for record in kinesis.stored()])


async def test_after_its_seconds_it_gives_up_what_a_dead_service_does_not_take(kinesis, start):
    command = start("--seconds", "3", "--workers", "2", "--json")
    await wait_for_records(kinesis, 100)
    await kinesis.inject(OUTAGE)
    status, out, err = await command.end()
    result = json.loads(out)
    assert status == 1
    assert 0 < result["failed"] <= 2 * RECORDS_AHEAD + 2, "few records may wait when the trucks stop"
    assert result["put"] == result["acked"] + result["failed"]
    assert result["seconds"] < 60  # without giving up it would be 120 s more, the delivery_timeout
    assert "waiting for the stream: InternalFailure" in err
    assert any("InternalFailure" in error for error in result["errors"])


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="workers are found in /proc")
async def test_the_workers_exit_when_the_command_is_killed(kinesis, start):
    command = start("--workers", "2")
    workers = await command.workers(2)
    await wait_for_records(kinesis, 100)
    command.send(signal.SIGKILL)
    await command.end()

    async def all_exited():
        return not any(map(is_alive, workers))

    await until(all_exited)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="workers are found in /proc")
async def test_a_killed_worker_is_reported_and_the_others_continue(kinesis, start):
    command = start("--workers", "2", "--seconds", "4")
    first, _ = await command.workers(2)
    await wait_for_records(kinesis, 100)
    os.kill(first, signal.SIGKILL)
    status, out, err = await command.end()
    assert (status, err) == (1, "a worker exited with status -9\n")
    assert count("acknowledged", out) >= 100
