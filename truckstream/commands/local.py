"""`truckstream local`: run a local Kinesis."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from truckstream.command_line import command_line
from truckstream.commands.output.console import console, print_plain
from truckstream.commands.signals import run_command, stop_on_signals
from truckstream.errors import InvalidArgumentError, ServiceError

if TYPE_CHECKING:
    from truckstream.local import LocalKinesis

__all__ = ["local", "print_instructions"]

COMMON_FAULT_OPTIONS = ("rate", "count", "skip", "after", "until", "operations")


def local(
    *,
    stream: tuple[str, ...] = (),
    shards: int = 1,
    port: int = 4567,
    host: str = "127.0.0.1",
    allow_host: tuple[str, ...] = (),
    no_quota: bool = False,
    quota_scale: float = 1.0,
    max_bytes: int = 2 * 1024**3,
    transition_seconds: float = 0.0,
    fault: tuple[str, ...] = (),
    seed: int = 0,
    list_faults: bool = False,
    tls: bool = False,
    check_signatures: bool = False,
) -> int:
    """Run a local Kinesis with the real quotas, and with faults on demand, until Ctrl-C.

    Example:
        truckstream local --stream trucks:2 --fault throttle:rate=0.1

    Args:
        stream: Stream to create: NAME, or NAME:SHARDS if its number of shards is not --shards. May be repeated.
            [default: truck-sensor-stream]
        shards: Number of shards of each stream.
        port: Port to listen on. 0 takes a free one.
        host: Address to listen on. With the default, only this machine can connect.
        allow_host: Further name that clients may call it by, such as its service name in a docker-compose file, or host
            of a web page that may use it. May be repeated. Other names and pages are refused.
        no_quota: Do not enforce quotas.
        quota_scale: Multiply all quotas by this number. With 0.1, the server is ten times slower than the service.
        max_bytes: Memory for all records, in bytes. When it is full, the oldest records are removed. 0 sets no limit.
        transition_seconds: How long a stream stays CREATING, UPDATING or DELETING.
        fault: Fault to inject, such as throttle:rate=0.3,count=100,after=5s,until=10s. May be repeated; --list-faults
            lists the kinds. Faults that act on a stream (split, delete) act on the first one.
        seed: Seed of the faults. The same seed and the same requests produce the same faults.
        list_faults: List the kinds of faults with their options, and exit.
        tls: Serve HTTPS, with a certificate made for this run.
        check_signatures: Reject requests that are not signed with the printed credentials.
    """
    from truckstream.local import Fault, FaultPlan, LocalKinesis  # noqa: PLC0415 - each command loads only what it needs

    if list_faults:
        _print_fault_kinds()
        return 0
    streams = [_name_and_shards(text, shards) for text in stream or ("truck-sensor-stream",)]
    kinesis = LocalKinesis(
        *streams[0],
        quotas=False if no_quota else quota_scale,
        max_bytes=max_bytes or None,
        faults=FaultPlan(*map(Fault.parse, fault), seed=seed),
        host=host,
        port=port,
        allowed_hosts=allow_host,
        transition_seconds=transition_seconds,
        tls=tls,
        check_signatures=check_signatures,
    )
    return run_command(_run_local(kinesis, streams))


def _print_fault_kinds() -> None:
    from truckstream.local.faults import KINDS  # noqa: PLC0415

    for name, kind in KINDS.items():
        options = ", ".join([*COMMON_FAULT_OPTIONS, *sorted(kind.options)])
        console.print(f"[bold]{name}[/bold]: {kind.does}\n  The client: {kind.client}\n  Options: {options}\n")


def _name_and_shards(text: str, default: int) -> tuple[str, int]:
    name, colon, shards = text.partition(":")
    if colon and not shards.isdecimal():
        raise InvalidArgumentError("stream", text, "must be NAME or NAME:SHARDS")
    return name, int(shards) if colon else default


async def _run_local(kinesis: LocalKinesis, streams: list[tuple[str, int]]) -> int:
    with stop_on_signals() as stop:
        async with kinesis:
            for name, shards in streams[1:]:
                await _create_stream(kinesis, name, shards)
            print_instructions(kinesis, streams)
            await stop.wait()
            summary = await _summary(kinesis)
    print_plain(summary)
    return 0


def print_instructions(kinesis: LocalKinesis, streams: list[tuple[str, int]]) -> None:
    """Print how to use the local Kinesis with any client."""
    listed = ", ".join(f"{name} ({shards} shard{'s' * (shards > 1)})" for name, shards in streams)
    print_plain(f"Local Kinesis at {kinesis.endpoint_url} with {listed}. To use it with any client:\n")
    for name, value in kinesis.environment().items():
        print_plain(f"  {command_line('export', f'{name}={value}')}")
    put = ("aws", "kinesis", "put-record", "--stream-name", streams[0][0], "--partition-key", "truck-1")
    print_plain(
        "  aws kinesis list-streams\n"
        f"  {command_line(*put, '--data', 'aGVsbG8=')}\n"
        """  python -c 'import boto3; print(boto3.client("kinesis").list_streams()["StreamNames"])'\n\n"""
        "Press Ctrl-C to stop it."
    )


async def _create_stream(kinesis: LocalKinesis, name: str, shards: int) -> None:
    """Create a stream. The service allows five CreateStream calls a second, so this waits while they are used up."""
    while True:
        try:
            await kinesis.call("CreateStream", StreamName=name, ShardCount=shards)
        except ServiceError as error:
            if not error.message.startswith("Rate exceeded"):
                raise
            await asyncio.sleep(0.05)
        else:
            return


async def _summary(kinesis: LocalKinesis) -> str:
    """Return the counts of all streams that still exist."""
    faults = (await kinesis.stats()).faults
    streams = kinesis.service.account.streams(kinesis.now())
    counts = [shard.counts for stream in streams for shard in stream.shards.values()]
    return (
        f"{sum(shard.records_in for shard in counts):,} records stored, "
        f"{sum(shard.records_throttled for shard in counts):,} throttled by quotas, "
        f"{sum(shard.records_out for shard in counts):,} read; "
        f"faults: {', '.join(f'{kind} {hits:,}' for kind, hits in faults.items()) or 'none'}."
    )
