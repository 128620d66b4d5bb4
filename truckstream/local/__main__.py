"""`python -m truckstream.local`: the program that `LocalKinesis(own_process=True)` runs.

`--options` is a JSON object with the fields of `Options`. When the endpoint is ready, the program prints one line of
JSON (`ReadyMessage`). It exits with status 0 on Ctrl-C or SIGTERM and, with `--while-stdin-is-open`, when its standard
input closes, which is how it notices that its parent has died.

The command for people is `truckstream local`.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from truckstream.errors import TruckstreamError
from truckstream.local.child_process import ReadyMessage
from truckstream.local.faulty_service import FaultyService
from truckstream.local.http.endpoint import Endpoint
from truckstream.local.options import REGION_NAME, Options
from truckstream.local.virtual_clock import wall_clock

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m truckstream.local", description="A local Kinesis with its quotas.")
    parser.add_argument("--options", default="{}", help="the options of LocalKinesis as a JSON object")
    parser.add_argument("--while-stdin-is-open", action="store_true", help="exit when the standard input closes")
    flags = parser.parse_args(arguments)
    try:
        options = msgspec.json.decode(flags.options, type=Options)
    except msgspec.DecodeError as error:
        print(f"truckstream.local: --options: {error}", file=sys.stderr)  # noqa: T201 - this is a program
        return 2
    try:
        asyncio.run(_serve(options, while_stdin_is_open=flags.while_stdin_is_open))
    except TruckstreamError as error:
        print(f"truckstream.local: {error}", file=sys.stderr)  # noqa: T201 - this is a program
        return 1
    return 0


async def _serve(options: Options, *, while_stdin_is_open: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows, where Ctrl-C ends asyncio.run
            loop.add_signal_handler(number, stop.set)
    endpoint = Endpoint(FaultyService(options, wall_clock()), options)
    endpoint_url = await endpoint.open()
    try:
        _print_ready(options, endpoint_url, endpoint.ca_pem)
        if while_stdin_is_open:
            await _watch_stdin(loop, stop)
        await stop.wait()
    finally:
        await endpoint.close()


def _print_ready(options: Options, endpoint_url: str, ca_pem: str) -> None:
    ready = ReadyMessage(
        endpoint_url=endpoint_url,
        port=urlsplit(endpoint_url).port or 0,
        stream_name=options.stream,
        stream_arn=options.stream_arn,
        region_name=REGION_NAME,
        ca_pem=ca_pem,
    )
    sys.stdout.write(msgspec.json.encode(ready).decode() + "\n")
    sys.stdout.flush()


async def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    class Watcher(asyncio.Protocol):
        def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
            stop.set()

    await loop.connect_read_pipe(Watcher, sys.stdin)


if __name__ == "__main__":
    sys.exit(main())
