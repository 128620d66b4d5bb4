"""The contestants, and how one of them is run: in a process and an environment of its own."""

from dataclasses import dataclass
from pathlib import Path

from support import contestant_process
from support.contestant_process import environment

__all__ = ["CONTESTANTS", "Contestant", "environment", "run"]

PEERS = Path(__file__).parent


@dataclass(frozen=True)
class Contestant:
    """A script in peers/, and the form in which it competes."""

    script: str
    form: str = ""

    @property
    def name(self):
        name = self.script.removeprefix("with_").replace("async_kinesis", "async-kinesis")
        return f"{name} {self.form}".strip()

    @property
    def is_rival(self):
        return self.script != "with_truckstream"

    @property
    def command(self):
        return contestant_process.command_of(PEERS / f"{self.script}.py", is_rival=self.is_rival)


CONTESTANTS = [
    *(
        Contestant("with_truckstream", form)
        for form in ("client", "plain", "put_many", "ordered", "aggregated", "ordered aggregated")
    ),
    *(Contestant(script) for script in ("with_boto3", "with_aiobotocore", "with_aioboto3")),
    *(Contestant("with_async_kinesis", form) for form in ("", "unthrottled")),
    *(Contestant("with_aiokpl", form) for form in ("plain", "aggregated")),
]


def run(contestant, job, ca_file=""):
    """Return the figures of one run, or its error."""
    return contestant_process.run(contestant.command, job, 60 + 20 * job.seconds, ca_file)
