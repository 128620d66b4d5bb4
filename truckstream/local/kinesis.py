"""LocalKinesis: the endpoint in this process or in one of its own."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import msgspec
from aiohttp import ClientSession, web

from truckstream.errors import TruckstreamError
from truckstream.local.server import STATS_PATH, make_app, stats_of
from truckstream.local.service import ACCOUNT, REGION, Service

if TYPE_CHECKING:
    from asyncio.subprocess import Process

__all__ = ["KinesisStats", "LocalKinesis", "LocalKinesisError", "ShardCounts"]

START_SECONDS = 20.0


class LocalKinesisError(TruckstreamError):
    """The local Kinesis did not start."""


class ShardCounts(msgspec.Struct, frozen=True):
    """One shard since the start."""

    records_in: int
    bytes_in: int
    #: Sends refused for the quota.
    records_throttled: int
    records_out: int


class KinesisStats(msgspec.Struct, frozen=True):
    """The endpoint since its start."""

    requests: int
    shards: dict[str, ShardCounts]


@dataclass(slots=True)
class _Settings:
    stream: str
    shards: int
    quotas: bool
    host: str
    port: int


class LocalKinesis:
    """A Kinesis endpoint on this machine, with the quotas of the real one.

    ```python
    async with LocalKinesis(shards=4) as kinesis:
        producer = Producer(kinesis.stream_name, region_name=kinesis.region_name, endpoint_url=kinesis.endpoint_url)
    ```

    Args:
        stream: the name of the stream that is there from the start.
        shards: its shards.
        quotas: whether to enforce each shard's quotas.
        own_process: run in a process of its own, which ends with this context or when this process dies.
        host, port: where to listen; by default a free port of the loopback.
    """

    def __init__(
        self,
        stream: str = "truck-sensor-stream",
        shards: int = 1,
        *,
        quotas: bool = True,
        own_process: bool = False,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.stream_name = stream
        self.region_name = REGION
        self.stream_arn = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{stream}"
        self.endpoint_url = ""
        #: The state, when it runs in this process.
        self.service = Service(quotas=quotas)
        self._settings = _Settings(stream, shards, quotas, host, port)
        self._own_process = own_process
        self._process: Process | None = None
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        await (self._start_process() if self._own_process else self._start_here())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process and self._process.stdin:
            self._process.stdin.close()
            await self._process.wait()
        if self._runner:
            await self._runner.cleanup()

    async def stats(self) -> KinesisStats:
        """What the endpoint has done."""
        if not self._own_process:
            return msgspec.convert(stats_of(self.service), KinesisStats)
        async with ClientSession() as session, session.get(self.endpoint_url + STATS_PATH) as answer:
            return msgspec.json.decode(await answer.read(), type=KinesisStats)

    async def _start_here(self) -> None:
        settings = self._settings
        self.service.call("CreateStream", {"StreamName": settings.stream, "ShardCount": settings.shards}, time.time())
        self._runner = web.AppRunner(make_app(self.service), access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, settings.host, settings.port).start()
        host, port = self._runner.addresses[0][:2]
        self.endpoint_url = f"http://{host}:{port}"

    async def _start_process(self) -> None:
        settings = self._settings
        arguments = ["--stream", settings.stream, "--shards", str(settings.shards), "--until-stdin-closes"]
        arguments += ["--host", settings.host, "--port", str(settings.port)]
        if not settings.quotas:
            arguments.append("--no-quota")
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "truckstream.local", *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C at the terminal is for its parent, which ends it
        )
        assert self._process.stdout is not None  # noqa: S101 - it was started with a pipe
        line = await asyncio.wait_for(self._process.stdout.readline(), START_SECONDS)
        if not line:
            raise LocalKinesisError(f"the local Kinesis ended with status {await self._process.wait()}")
        self.endpoint_url = msgspec.json.decode(line)["endpoint_url"]
