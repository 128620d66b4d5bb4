"""The parts that every reader shares: the job, the clock, and the line of JSON that it prints.

A reader is a script that calls `compete(read)`. It runs in a process and an environment of its own, and it may import
nothing of this repository but this file, which needs only the standard library.

`read(job)` is an async generator. It reads the stream's shards from TRIM_HORIZON, and yields numbers of records that it
has got: those of a batch or, where they come one by one, a thousand. It may go on for ever.
"""

import asyncio
import gc
import json
import resource
import sys
import time
from contextlib import aclosing
from dataclasses import dataclass
from importlib.metadata import version

#: The part of the records that is read before the clock starts: connections are open and the first pages have come.
WARM_UP = 0.1


@dataclass
class Job:
    """The work of one run."""

    endpoint_url: str
    stream: str
    shards: int
    #: The number of records in the stream, of all shards.
    records: int
    #: The number of records that one call of GetRecords returns, for readers that choose it themselves.
    limit: int = 1_000
    #: Records that come one by one are reported in steps of so many.
    step: int = 1_000
    #: The form in which the reader competes, if it has several.
    form: str = ""


def compete(read, packages, *, loop_factory=None):
    """Run the job on the command line, and print its figures with the versions of `packages`."""
    job = Job(**json.loads(sys.argv[1]))
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        figures = runner.run(_measure(read, job))
    print(json.dumps({**figures, "versions": {name: version(name) for name in packages}}))


async def _measure(read, job):
    warm = int(job.records * WARM_UP)
    count = start = 0
    cpu = wall = 0.0
    async with aclosing(read(job)) as counts:
        async for more in counts:
            count += more
            if count < warm:
                continue
            if not start:
                gc.collect()
                start, cpu, wall = count, time.process_time(), time.perf_counter()
            elif count >= job.records:
                cpu, wall = time.process_time() - cpu, time.perf_counter() - wall  # without closing the reader
                break
    return figures_of(count - start, cpu, wall, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def figures_of(records, cpu, wall, peak_mib):
    """Return the figures of a run from the seconds of CPU and of wall-clock time that its records took."""
    return {
        "records": records,
        "cpu_us_per_record": cpu / records * 1e6,
        "records_per_second": records / wall,
        "peak_mib": peak_mib,
    }
