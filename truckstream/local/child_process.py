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

__all__ = ["Child", "LocalKinesisError", "Started", "start_child"]

_log: Final = logging.getLogger(__name__)

#: Starting takes 0.3 s; a laptop that is busy with everything else gets this long.
_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 5.0


class LocalKinesisError(TruckstreamError):
    """The local Kinesis in its own process did not start."""


class Started(msgspec.Struct, frozen=True):
    """The line that `python -m truckstream.local` prints when it serves."""

    endpoint_url: str
    port: int
    stream_name: str
    stream_arn: str
    region_name: str
    #: With TLS, the certificate authority to trust, as PEM.
    ca_pem: str = ""


class Child:
    """A running child. It ends when its standard input closes: at `stop`, or when this process is gone."""

    def __init__(self, process: asyncio.subprocess.Process, started: Started) -> None:
        self._process = process
        self._relay = asyncio.create_task(_relay(process))
        self.endpoint_url = started.endpoint_url
        self.ca_pem = started.ca_pem

    async def stop(self) -> None:
        """End it; kill it if it has not ended after five seconds."""
        await _end(self._process)
        await self._relay


async def _relay(process: asyncio.subprocess.Process) -> None:
    """Log what the child says: it is a complaint, and a pipe that nobody reads would stop it in the end."""
    assert process.stderr is not None  # noqa: S101 - it was started with a pipe
    async for line in process.stderr:
        _log.warning("local Kinesis: %s", line.decode(errors="replace").rstrip())


async def start_child(options: Options) -> Child:
    """Start `python -m truckstream.local` and wait until it serves.

    Raises:
        LocalKinesisError: it did not; the message carries what it said last.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "truckstream.local", "--while-stdin-is-open"),
        f"--options={msgspec.json.encode(options).decode()}",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C at the terminal is the parent's business
    )
    try:
        return Child(process, await _read_started(process))
    except BaseException:
        await _end(process)
        raise


async def _read_started(process: asyncio.subprocess.Process) -> Started:
    assert process.stdout is not None  # noqa: S101 - it was started with a pipe
    assert process.stderr is not None  # noqa: S101 - it was started with a pipe
    try:
        line = await asyncio.wait_for(process.stdout.readline(), _START_SECONDS)
    except TimeoutError:
        raise LocalKinesisError(f"the local Kinesis did not start within {_START_SECONDS:.0f} s") from None
    with suppress(msgspec.DecodeError):
        return msgspec.json.decode(line, type=Started)
    said = (await process.stderr.read()).decode(errors="replace").strip().splitlines()[-5:]
    raise LocalKinesisError("the local Kinesis did not start: " + ("\n".join(said) or "it said nothing"))


async def _end(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None  # noqa: S101 - it was started with a pipe
    process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), _STOP_SECONDS)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
