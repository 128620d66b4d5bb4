"""`python -m truckstream.local`: the local Kinesis as a program.

It prints one line of JSON when it serves (`endpoint_url`, `port`, `stream_name`, `stream_arn`, `region_name`), and
ends with status 0 on Ctrl-C or SIGTERM. `--while-stdin-is-open` ends it as well when its standard input closes, which
is how a parent's death reaches it.
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
from truckstream.local.child import Started
from truckstream.local.faults import Fault, FaultPlan
from truckstream.local.kinesis import LocalKinesis

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; its exit status."""
    options = _parser().parse_args(arguments)
    try:
        asyncio.run(_serve(options))
    except TruckstreamError as error:
        print(f"truckstream.local: {error}", file=sys.stderr)  # noqa: T201 - this is a program
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m truckstream.local", description="A local Kinesis with its quotas.")
    parser.add_argument("--stream", default="truck-sensor-stream", help="the stream that is there at the start")
    parser.add_argument("--shards", type=int, default=1, help="of that stream (default: 1)")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=4567, help="0 takes a free one (default: 4567)")
    parser.add_argument("--no-quota", action="store_true", help="take whatever comes")
    parser.add_argument("--quota-scale", type=float, default=1.0, help="multiplies all quotas (default: 1)")
    parser.add_argument(
        "--fault", action="append", default=[], help='such as "throttle:rate=0.3,after=5s", or as JSON; may be repeated'
    )
    parser.add_argument("--seed", type=int, default=0, help="of the faults (default: 0)")
    parser.add_argument("--transition-seconds", type=float, default=0.0, help="how long streams are CREATING, UPDATING")
    parser.add_argument("--while-stdin-is-open", action="store_true", help="end when the standard input closes")
    return parser


async def _serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows: asyncio.run ends on Ctrl-C there
            loop.add_signal_handler(number, stop.set)
    kinesis = LocalKinesis(
        stream=options.stream,
        shards=options.shards,
        quotas=False if options.no_quota else options.quota_scale,
        faults=FaultPlan(*map(Fault.parse, options.fault), seed=options.seed),
        host=options.host,
        port=options.port,
        transition_seconds=options.transition_seconds,
    )
    async with kinesis:
        _say_started(kinesis)
        if options.while_stdin_is_open:
            await _watch_stdin(loop, stop)
        await stop.wait()


def _say_started(kinesis: LocalKinesis) -> None:
    started = Started(
        endpoint_url=kinesis.endpoint_url,
        port=urlsplit(kinesis.endpoint_url).port or 0,
        stream_name=kinesis.stream_name,
        stream_arn=kinesis.stream_arn,
        region_name=kinesis.region_name,
    )
    sys.stdout.write(msgspec.json.encode(started).decode() + "\n")
    sys.stdout.flush()


async def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    class Watcher(asyncio.Protocol):
        def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
            stop.set()

    await loop.connect_read_pipe(Watcher, sys.stdin)


if __name__ == "__main__":
    sys.exit(main())
