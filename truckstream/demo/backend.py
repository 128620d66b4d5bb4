"""The stand-in for AWS, in a process of its own: the stream, its event source mapping, and the function.

`python -m truckstream.demo.backend` is that process. It speaks lines of JSON on its standard output (`Ready`, then a
`Status` four times a second) and ends when its standard input says `drain`, having processed what the stream holds,
or when its input closes because the demo has died. `Backend` is the demo's handle of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec

from truckstream.demo.object_directory import PREFIX, REJECTED_PREFIX
from truckstream.errors import TruckstreamError

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator
    from pathlib import Path

    from truckstream.local import EventSourceMapping

__all__ = ["STREAM_NAME", "Backend", "BackendError", "Status", "start_backend"]

STREAM_NAME: Final = "truck-sensor-stream"
LOG_NAME: Final = "demo.log"
STATUS_SECONDS: Final = 0.25
#: A function that deals with no record for so long while the stream is drained will not: the disk is full, for example.
STALLED_SECONDS: Final = 30.0


class BackendError(TruckstreamError):
    """The process that stands in for AWS has failed."""


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The stream can be written."""

    endpoint_url: str


class Status(msgspec.Struct, frozen=True, tag=True):
    """How far the function is, and whether it is done."""

    records: int = 0
    invocations: int = 0
    failures: int = 0
    drained: bool = False


# --- The demo's side ------------------------------------------------------------------------------


class Backend:
    """The running stand-in."""

    def __init__(self, process: Process, log: Path) -> None:
        self._process = process
        self._log = log
        self._decoder = msgspec.json.Decoder(Ready | Status)
        self.endpoint_url = ""
        self.status = Status()
        self._moved = 0.0
        self._draining = False

    async def wait_until_ready(self) -> None:
        ready = await self._read()
        if isinstance(ready, Ready):
            self.endpoint_url = ready.endpoint_url

    async def watch(self) -> None:
        """Keep `status` fresh until the function is done.

        Raises:
            BackendError: the process has ended, or its function stores nothing any more.
        """
        while not self.status.drained:
            message = await self._read()
            if isinstance(message, Status):
                if message.records != self.status.records:
                    self._moved = time.monotonic()
                self.status = message
            if self._draining and not self.status.drained and time.monotonic() - self._moved >= STALLED_SECONDS:
                raise BackendError(f"no record could be stored for {STALLED_SECONDS:g} s; {self._end_of_log()}")

    def drain(self) -> None:
        """Ask it to process what the stream holds and to end; `watch` returns when it has."""
        assert self._process.stdin is not None  # noqa: S101 - it was started with a pipe
        self._process.stdin.write(b"drain\n")
        self._draining, self._moved = True, time.monotonic()

    async def _read(self) -> Ready | Status:
        assert self._process.stdout is not None  # noqa: S101 - it was started with a pipe
        line = await self._process.stdout.readline()
        if not line:
            await self._fail()
        message: Ready | Status = self._decoder.decode(line)
        return message

    async def _fail(self) -> NoReturn:
        code = await self._process.wait()
        raise BackendError(f"the local Kinesis ended with status {code}; {self._end_of_log()}")

    def _end_of_log(self) -> str:
        last = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:]
        return f"the end of {self._log}:\n" + "\n".join(last)


@asynccontextmanager
async def start_backend(out: Path, shards: int) -> AsyncIterator[Backend]:
    """Run the stand-in with objects below `out`, an absolute path; it ends with this context."""
    log = out / LOG_NAME
    environment = os.environ | {
        "STORE_URL": out.as_uri(),
        "PREFIX": PREFIX,
        "REJECTED_PREFIX": REJECTED_PREFIX,
    }
    with log.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "truckstream.demo.backend", str(shards)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=sink,
            env=environment,
            start_new_session=True,  # Ctrl-C at the terminal is for the demo, which then drains
        )
    backend = Backend(process, log)
    try:
        await backend.wait_until_ready()
        yield backend
    finally:
        assert process.stdin is not None  # noqa: S101 - it was started with a pipe
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), timeout=10)
        except TimeoutError:
            process.kill()
            await process.wait()


# --- The stand-in's side --------------------------------------------------------------------------


async def _serve(shards: int) -> None:
    from lambda_entry.handler import lambda_handler  # noqa: PLC0415 - only this process is the function
    from truckstream.local import EventSourceMapping, LocalKinesis  # noqa: PLC0415 - and the service

    async with (
        LocalKinesis(stream=STREAM_NAME, shards=shards) as kinesis,
        EventSourceMapping(kinesis, lambda_handler) as mapping,
    ):
        _say(Ready(kinesis.endpoint_url))
        command = asyncio.create_task(_read_command())
        while not command.done():
            await asyncio.wait([command], timeout=STATUS_SECONDS)
            _say(_status(mapping))
        if command.result() == b"drain":
            draining = asyncio.create_task(mapping.drain())
            while not draining.done():
                await asyncio.wait([draining], timeout=STATUS_SECONDS)
                _say(_status(mapping))
            draining.result()
            _say(_status(mapping, drained=True))


def _status(mapping: EventSourceMapping, *, drained: bool = False) -> Status:
    stats = mapping.stats
    return Status(records=stats.records, invocations=stats.invocations, failures=stats.failures, drained=drained)


async def _read_command() -> bytes:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return (await reader.readline()).strip()


def _say(message: Ready | Status) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    """The process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    with contextlib.suppress(BrokenPipeError):  # the demo has died
        asyncio.run(_serve(int(sys.argv[1])))


if __name__ == "__main__":
    main()
