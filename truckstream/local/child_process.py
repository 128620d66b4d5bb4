"""The local Kinesis in a process of its own, as its parent sees it."""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from truckstream.errors import TruckstreamError

if TYPE_CHECKING:
    from truckstream.local.options import Options

__all__ = ["ChildProcess", "LocalKinesisError", "ReadyMessage", "start_child"]

_log: Final = logging.getLogger(__name__)

#: Starting takes 0.3 s on an idle machine; a busy laptop gets this much longer.
_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 5.0


class LocalKinesisError(TruckstreamError):
    """The local Kinesis in its own process did not start."""


class ReadyMessage(msgspec.Struct, frozen=True):
    """The line that `python -m truckstream.local` prints when it is ready."""

    endpoint_url: str
    port: int
    stream_name: str
    stream_arn: str
    region_name: str
    #: With TLS, the certificate authority to trust, as PEM.
    ca_pem: str = ""


class ChildProcess:
    """A running child process. It ends when its standard input closes: on `stop`, or when this process ends."""

    def __init__(self, process: asyncio.subprocess.Process, ready: ReadyMessage) -> None:
        self._process = process
        self._log_task = asyncio.create_task(_log_errors(process))
        self.endpoint_url = ready.endpoint_url
        self.ca_pem = ready.ca_pem

    async def stop(self) -> None:
        """End the process; kill it if it has not ended after five seconds."""
        await _end(self._process)
        await self._log_task


async def _log_errors(process: asyncio.subprocess.Process) -> None:
    """Log the standard error of the process. A pipe that is not read would block the process when it is full."""
    assert process.stderr is not None  # noqa: S101 - it was started with a pipe
    async for line in process.stderr:
        _log.warning("local Kinesis: %s", line.decode(errors="replace").rstrip())


async def start_child(options: Options) -> ChildProcess:
    """Start `python -m truckstream.local` and wait until it serves.

    Raises:
        LocalKinesisError: it did not start; the message has the last lines of its standard error.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "truckstream.local", "--while-stdin-is-open"),
        f"--options={msgspec.json.encode(options).decode()}",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C in the terminal must only reach the parent
    )
    try:
        return ChildProcess(process, await _read_ready_message(process))
    except BaseException:
        await _end(process)
        raise


async def _read_ready_message(process: asyncio.subprocess.Process) -> ReadyMessage:
    assert process.stdout is not None  # noqa: S101 - it was started with a pipe
    assert process.stderr is not None  # noqa: S101 - it was started with a pipe
    try:
        line = await asyncio.wait_for(process.stdout.readline(), _START_SECONDS)
    except TimeoutError:
        raise LocalKinesisError(f"the local Kinesis did not start within {_START_SECONDS:.0f} s") from None
    with suppress(msgspec.DecodeError):
        return msgspec.json.decode(line, type=ReadyMessage)
    lines = (await process.stderr.read()).decode(errors="replace").strip().splitlines()[-5:]
    raise LocalKinesisError("the local Kinesis did not start: " + ("\n".join(lines) or "it printed nothing"))


async def _end(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None  # noqa: S101 - it was started with a pipe
    process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), _STOP_SECONDS)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
