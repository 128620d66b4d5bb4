"""Defects of other Python producers, and the same tests for ours: same program, same faults, same check.

Each test runs a rival as its users do, in its own virtual environment and process, and asserts the defect. When a
rival fixes it, the test fails, and the documentation must be corrected.
"""

import asyncio
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.external_clients.installation import or_skipped, python_with
from tests.external_clients.python_clients import AIOKPL, ASYNC_KINESIS
from truckstream.kinesis.limits import MAX_RECORDS_PER_REQUEST
from truckstream.local import Fault, FaultPlan, LocalKinesis

PROGRAMS = Path(__file__).parent / "programs"

#: Seconds that a program may take.
PATIENCE = 60

pytestmark = [pytest.mark.external, pytest.mark.timeout(180)]


def python_of(library):
    """Return the interpreter of an environment with the library; for truckstream, the current one."""
    if library == "truckstream":
        return sys.executable
    with or_skipped(library):
        return python_with(*{"aiokpl": AIOKPL, "async-kinesis": ASYNC_KINESIS}[library])


async def run(library, kinesis, *phases):
    """Put these numbers of records, one after the other, with the library; return its output and error output."""
    program = PROGRAMS / f"{library.replace('-', '_')}_phases.py"
    process = await asyncio.create_subprocess_exec(
        python_of(library),
        program,
        kinesis.stream_name,
        kinesis.endpoint_url,
        ",".join(map(str, phases)),
        env={"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_EC2_METADATA_DISABLED": "true"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE):
        out, err = await process.communicate()
    return out.decode(), err.decode()


async def copies(kinesis):
    """Count the stored copies of each record."""
    return Counter([record.data async for record in kinesis.stored()])


# --- Leaving while the stream is throttled ----------------------------------------------------------


async def leave_under_throttling(library):
    """Put ten records while the stream throttles sixty; return the counts of copies, and the output."""
    async with LocalKinesis(faults=FaultPlan(Fault("throttle", count=60))) as kinesis:
        outputs = await run(library, kinesis, 10)
        return Counter((await copies(kinesis)).values()), outputs


async def test_leaving_aiokpl_under_throttling_loses_records():
    """The context manager raises, the records are lost, and callers that await them wait for ever."""
    stored, (acknowledged, error) = await leave_under_throttling("aiokpl")
    assert "ExceptionGroup" in error
    assert (stored.total(), acknowledged) == (0, "0")


async def test_leaving_truckstream_under_throttling_stores_every_record():
    stored, (acknowledged, error) = await leave_under_throttling("truckstream")
    assert (stored, acknowledged, error) == ({1: 10}, "10", "")


# --- A split while records are in flight ------------------------------------------------------------


async def write_through_a_split(library):
    """Put one record before a split and ten after it; return the copies of each, the output and the error output."""
    async with LocalKinesis(faults=FaultPlan(Fault("split", operations=("PutRecords",), skip=1))) as kinesis:
        acknowledged, error = await run(library, kinesis, 1, 10, 0)
        return await copies(kinesis), acknowledged, error


async def test_aiokpl_stores_a_record_many_times_after_a_split():
    """It resends records that landed on another shard than predicted, again and again, and then reports a failure."""
    stored, acknowledged, _ = await write_through_a_split("aiokpl")
    assert max(stored.values()) > 10
    assert (len(stored), acknowledged) == (11, "1")


async def test_truckstream_stores_each_record_once_through_a_split():
    stored, acknowledged, error = await write_through_a_split("truckstream")
    assert (Counter(stored.values()), acknowledged, error) == ({1: 11}, "11", "")


# --- The most records of a request ------------------------------------------------------------------


async def largest_request(library, monkeypatch):
    """Throttle some of 1,200 records; return the size of the largest request, and the number of stored records."""
    sizes = []
    some = FaultPlan(Fault("throttle", rate=0.2, count=60), seed=1)
    async with LocalKinesis(quotas=False, faults=some) as kinesis:
        call = kinesis.service.call

        def watched(operation, request, now, *rest):
            sizes.append(len(request.get("Records", ())))
            return call(operation, request, now, *rest)

        monkeypatch.setattr(kinesis.service, "call", watched)
        await run(library, kinesis, 1_200)
        return max(sizes), (await copies(kinesis)).total()


async def test_async_kinesis_sends_more_records_than_a_request_may_have(monkeypatch):
    largest, _ = await largest_request("async-kinesis", monkeypatch)
    assert largest == MAX_RECORDS_PER_REQUEST + 1


async def test_truckstream_fills_a_request_and_no_more(monkeypatch):
    largest, stored = await largest_request("truckstream", monkeypatch)
    assert (largest, stored) == (MAX_RECORDS_PER_REQUEST, 1_200)
