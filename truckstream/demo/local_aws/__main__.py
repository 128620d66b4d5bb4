"""`python -m truckstream.demo.local_aws SHARDS`: run the stream, its event source mapping and the function.

The process prints a `StreamReady` and then a `FunctionProgress` four times a second. It exits once it has drained the
stream as `DRAIN` asked, or when its standard input closes because the demo has died.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from typing import Any, Final

import msgspec

from lambda_entry.handler import lambda_handler
from truckstream.demo.local_aws.messages import DRAIN, STREAM_NAME, FunctionProgress, StreamReady
from truckstream.local import EventSourceMapping, LocalKinesis

PROGRESS_SECONDS: Final = 0.25


async def _serve(shards: int) -> None:
    async with (
        LocalKinesis(stream=STREAM_NAME, shards=shards) as kinesis,
        EventSourceMapping(kinesis, lambda_handler) as mapping,
    ):
        _print_message(StreamReady(kinesis.endpoint_url))
        reading = asyncio.create_task(_read_command())
        await _print_progress_until_done(reading, mapping)
        if reading.result() == DRAIN:
            draining = asyncio.create_task(mapping.drain())
            await _print_progress_until_done(draining, mapping)
            draining.result()
            _print_message(_progress(mapping, drained=True))


async def _print_progress_until_done(task: asyncio.Task[Any], mapping: EventSourceMapping) -> None:
    while not task.done():
        await asyncio.wait([task], timeout=PROGRESS_SECONDS)
        _print_message(_progress(mapping))


def _progress(mapping: EventSourceMapping, *, drained: bool = False) -> FunctionProgress:
    stats = mapping.stats
    return FunctionProgress(
        records=stats.records, invocations=stats.invocations, failures=stats.failures, drained=drained
    )


async def _read_command() -> bytes:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return (await reader.readline()).strip()


def _print_message(message: StreamReady | FunctionProgress) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    """Run the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    with contextlib.suppress(BrokenPipeError):  # the demo has died
        asyncio.run(_serve(int(sys.argv[1])))


if __name__ == "__main__":
    main()
