"""The readers that consumers.py compares, and how one of them is run."""

from dataclasses import dataclass
from pathlib import Path

from support import contestant_process

READERS = Path(__file__).parent
#: Seconds that a run may take; the KCL needs more than a minute to begin.
ALLOWED = 300


@dataclass(frozen=True)
class Reader:
    """A script in readers/, and the form in which it competes."""

    name: str
    script: str
    form: str = ""
    #: The most µs of CPU a record, and those to aim for.
    floor: float | None = None
    aim: float | None = None

    def run(self, job):
        """Return the figures of one run, or its error."""
        rival = self.script not in {"with_truckstream", "with_kcl"}
        command = contestant_process.command_of(READERS / f"{self.script}.py", is_rival=rival)
        return contestant_process.run(command, job, ALLOWED)


READERS_COMPARED = [
    Reader("truckstream, async for batch", "with_truckstream", "batches", 2.5, 1.5),
    Reader("truckstream, records()", "with_truckstream", "records"),
    Reader("truckstream, run(handler)", "with_truckstream", "run", 2.5, 1.5),
    Reader("truckstream, fan-out", "with_truckstream", "fan-out", 5.0),
    Reader("truckstream, the client alone", "with_truckstream", "client"),
    Reader("aiobotocore, get_records", "with_aiobotocore"),
    Reader("async-kinesis", "with_async_kinesis"),
    Reader("KCL, daemon for Python", "with_kcl"),
]

#: Ours, the rival, and the floor of the ratio of their records a CPU-second.
GOALS = [
    ("truckstream, async for batch", "async-kinesis", 20),
    ("truckstream, async for batch", "aiobotocore, get_records", 8),
]
