"""`python -m truckstream.local`: the endpoint as a process. Its first line is JSON with its `endpoint_url`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys

import msgspec

from truckstream.local.kinesis import LocalKinesis


async def _serve(options: argparse.Namespace) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with LocalKinesis(
        options.stream, options.shards, quotas=not options.no_quota, host=options.host, port=options.port
    ) as kinesis:
        said = {"endpoint_url": kinesis.endpoint_url, "stream_name": kinesis.stream_name}
        sys.stdout.write(msgspec.json.encode(said).decode() + "\n")
        sys.stdout.flush()
        if options.until_stdin_closes:
            reader = asyncio.StreamReader()
            await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
            closed = asyncio.create_task(reader.read())
            await asyncio.wait([closed, asyncio.create_task(stop.wait())], return_when=asyncio.FIRST_COMPLETED)
        else:
            await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m truckstream.local", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=4567)
    parser.add_argument("--stream", default="truck-sensor-stream", help="a stream that is there from the start")
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--no-quota", action="store_true", help="take whatever comes")
    parser.add_argument("--until-stdin-closes", action="store_true", help=argparse.SUPPRESS)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
