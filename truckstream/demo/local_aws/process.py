"""Start the local AWS process, follow its progress, and drain it."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec

from truckstream.demo.accounting.object_directory import PREFIX, REJECTED_PREFIX
from truckstream.demo.local_aws.messages import DRAIN, FunctionProgress, StreamReady
from truckstream.errors import TruckstreamError

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator
    from pathlib import Path

__all__ = ["LocalAws", "LocalAwsError", "start_local_aws"]

LOG_NAME: Final = "demo.log"

#: If the function processes no record for this long while the stream is being drained, it never will. One cause is a
#: full disk.
STALLED_SECONDS: Final = 30.0


class LocalAwsError(TruckstreamError):
    """The local AWS process has failed."""


class LocalAws:
    """The running local AWS process."""

    def __init__(self, process: Process, log: Path) -> None:
        self._process = process
        self._log = log
        self._decoder = msgspec.json.Decoder(StreamReady | FunctionProgress)
        self.endpoint_url = ""
        self.progress = FunctionProgress()
        self._last_advance = 0.0
        self._draining = False

    async def wait_until_ready(self) -> None:
        message = await self._read()
        if isinstance(message, StreamReady):
            self.endpoint_url = message.endpoint_url

    async def follow_progress(self) -> None:
        """Keep `progress` up to date until the stream is drained.

        Raises:
            LocalAwsError: the process has exited, or its function no longer stores records.
        """
        while not self.progress.drained:
            message = await self._read()
            if isinstance(message, FunctionProgress):
                if message.records != self.progress.records:
                    self._last_advance = time.monotonic()
                self.progress = message
            stalled = time.monotonic() - self._last_advance >= STALLED_SECONDS
            if self._draining and stalled and not self.progress.drained:
                raise LocalAwsError(f"no record could be stored for {STALLED_SECONDS:g} s; {self._end_of_log()}")

    def drain(self) -> None:
        """Ask the process to process the rest of the stream and exit; `follow_progress` then returns."""
        assert self._process.stdin is not None  # noqa: S101 - it was started with a pipe
        self._process.stdin.write(DRAIN + b"\n")
        self._draining, self._last_advance = True, time.monotonic()

    async def _read(self) -> StreamReady | FunctionProgress:
        assert self._process.stdout is not None  # noqa: S101 - it was started with a pipe
        line = await self._process.stdout.readline()
        if not line:
            await self._raise_exited()
        message: StreamReady | FunctionProgress = self._decoder.decode(line)
        return message

    async def _raise_exited(self) -> NoReturn:
        status = await self._process.wait()
        raise LocalAwsError(f"the local Kinesis exited with status {status}; {self._end_of_log()}")

    def _end_of_log(self) -> str:
        last = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:]
        return f"the end of {self._log}:\n" + "\n".join(last)


@asynccontextmanager
async def start_local_aws(out: Path, shards: int) -> AsyncIterator[LocalAws]:
    """Run the process, with its objects below `out` (an absolute path), until the context is left."""
    log = out / LOG_NAME
    function_settings = {"STORE_URL": out.as_uri(), "PREFIX": PREFIX, "REJECTED_PREFIX": REJECTED_PREFIX}
    with log.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "truckstream.demo.local_aws", str(shards)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=sink,
            env=os.environ | function_settings,
            start_new_session=True,  # Ctrl-C in the terminal reaches only the demo, which then drains the stream
        )
    local_aws = LocalAws(process, log)
    try:
        await local_aws.wait_until_ready()
        yield local_aws
    finally:
        assert process.stdin is not None  # noqa: S101 - it was started with a pipe
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), timeout=10)
        except TimeoutError:
            process.kill()
            await process.wait()
