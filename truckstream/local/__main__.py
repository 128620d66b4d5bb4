"""`python -m truckstream.local`: the local Kinesis as a program.

It prints one line of JSON when it serves (`endpoint_url`, `port`, `stream_name`, `stream_arn`, `region_name`, and with
TLS `ca_pem`), and ends with status 0 on Ctrl-C or SIGTERM. `--while-stdin-is-open` ends it as well when its standard
input closes, which is how a parent's death reaches it.
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
from truckstream.local.child_process import Started
from truckstream.local.faults import Fault
from truckstream.local.options import Options
from truckstream.local.server import ACCOUNT_ID, REGION_NAME, Server
from truckstream.local.service.state.memory_cap import DEFAULT_BYTES
from truckstream.local.virtual_clock import wall_clock

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; its exit status."""
    flags = _parser().parse_args(arguments)
    try:
        asyncio.run(_serve(_read(flags), while_stdin_is_open=flags.while_stdin_is_open))
    except msgspec.DecodeError as error:
        print(f"truckstream.local: --options: {error}", file=sys.stderr)  # noqa: T201 - this is a program
        return 2
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
    parser.add_argument(
        "--max-bytes", type=int, default=DEFAULT_BYTES, help="of all records; 0 sets no cap (default: 2 GiB)"
    )
    parser.add_argument("--transition-seconds", type=float, default=0.0, help="how long streams are CREATING, UPDATING")
    parser.add_argument("--options", help="all of these as one JSON object, as `LocalKinesis` hands them to its child")
    parser.add_argument("--while-stdin-is-open", action="store_true", help="end when the standard input closes")
    return parser


def _read(flags: argparse.Namespace) -> Options:
    if flags.options is not None:
        return msgspec.json.decode(flags.options, type=Options)
    return Options(
        stream=flags.stream,
        shards=flags.shards,
        quotas=False if flags.no_quota else flags.quota_scale,
        max_bytes=flags.max_bytes or None,
        faults=tuple(map(Fault.parse, flags.fault)),
        seed=flags.seed,
        host=flags.host,
        port=flags.port,
        transition_seconds=flags.transition_seconds,
    )


async def _serve(options: Options, *, while_stdin_is_open: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows: asyncio.run ends on Ctrl-C there
            loop.add_signal_handler(number, stop.set)
    server = Server(options, wall_clock())
    endpoint_url = await server.open()
    try:
        _say_started(options, endpoint_url, server.ca_pem)
        if while_stdin_is_open:
            await _watch_stdin(loop, stop)
        await stop.wait()
    finally:
        await server.close()


def _say_started(options: Options, endpoint_url: str, ca_pem: str) -> None:
    started = Started(
        endpoint_url=endpoint_url,
        port=urlsplit(endpoint_url).port or 0,
        stream_name=options.stream,
        stream_arn=f"arn:aws:kinesis:{REGION_NAME}:{ACCOUNT_ID}:stream/{options.stream}",
        region_name=REGION_NAME,
        ca_pem=ca_pem,
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
