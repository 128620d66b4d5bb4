"""A consumer with the interface that `truckstream tail` uses, which returns records of the test.

As a program, it runs the command on the records of its standard input: `python fake_consumer.py ARGUMENTS`.
"""

import asyncio
import sys
from typing import Any, ClassVar, Self

from truckstream.kinesis.reading.shard_record import ShardRecord


def record(data: bytes, key: str = "truck-1", shard: int = 0, number: int = 1) -> ShardRecord:
    return ShardRecord(data, key, str(number), 1_764_000_000.0, f"shardId-{shard:012}")


class FakeConsumer:
    """Yields `records`, and then waits as at the end of a stream."""

    records_to_yield: ClassVar[list[Any]] = []
    opened: ClassVar[list[Any]] = []

    def __init__(self, stream: str, **options: Any) -> None:
        self.stream = stream
        self.options = options
        self.open = False

    async def __aenter__(self) -> Self:
        self.open = True
        self.opened.append(self)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.open = False

    async def wait_ready(self) -> None:
        """Every shard is read from the start."""

    async def records(self) -> Any:
        for each in self.records_to_yield:
            if isinstance(each, Exception):
                raise each
            yield each
        await asyncio.Event().wait()


def main() -> None:
    import truckstream.consumer  # noqa: PLC0415 - in the child process only
    from truckstream.commands.app import main as run_command  # noqa: PLC0415

    FakeConsumer.records_to_yield = [record(line.removesuffix(b"\n")) for line in sys.stdin.buffer]
    truckstream.consumer.Consumer = FakeConsumer
    run_command()


if __name__ == "__main__":
    main()
