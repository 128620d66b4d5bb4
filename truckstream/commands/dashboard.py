"""`truckstream dashboard`: show a fleet on a page, live from a stream or replayed from a store."""

from __future__ import annotations

import asyncio
import contextlib
import webbrowser
from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 - the command line reads the annotation
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from truckstream.commands.output.console import error_console, print_plain
from truckstream.commands.signals import run_command, stop_on_signals
from truckstream.commands.stream.alerts import read_rules_file
from truckstream.commands.stream.connection import DEFAULT_CONNECTION, StreamConnection
from truckstream.commands.stream.start import parse_start, parse_times
from truckstream.errors import ConfigurationError, InvalidArgumentError, StreamNotFoundError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from truckstream.alerts import RuleSet

__all__ = ["dashboard", "first_of", "show_address"]


def dashboard(
    stream: str | None = None,
    *,
    store: str | None = None,
    connection: StreamConnection = DEFAULT_CONNECTION,
    application: str | None = None,
    from_: Annotated[str, Parameter(name="--from", allow_leading_hyphen=True)] = "LATEST",
    since: str | None = None,
    until: str | None = None,
    speed: float = 30.0,
    rules: Path | None = None,
    host: str = "127.0.0.1",
    port: int = 8421,
    allow_host: tuple[str, ...] = (),
    open_: Annotated[bool, Parameter(name="--open")] = False,
) -> int:
    """Show a fleet on a page, live from a stream or replayed from a store, until Ctrl-C.

    The page shows the trucks on a map, the load of each shard against its limits, throttles, latency and lag, rejected
    records by reason, and each truck's 22 signals with the rules that they break. It needs no network.

    Only this machine can open it. With another --host, the printed address has a token that the page asks for.

    Exit status: 0 after Ctrl-C; 1 if the stream or the store cannot be read; 2 if an option or a setting is wrong; 130
    after a second Ctrl-C.

    Example:
        truckstream dashboard truck-sensor-stream --open
        truckstream dashboard --store truckstream-data --speed 60

    Args:
        stream: Name or ARN of the stream.
        store: Replay stored records instead: s3://bucket, file:///directory, or the path of a directory. Needs the
            extra query.
        connection: Region and endpoint, of the stream or of the bucket.
        application: Share the shards with other readers of this name, and go on at their checkpoints.
        from_: Where to begin in the stream: TRIM_HORIZON (the oldest record), LATEST (new records only), a time such as
            2026-11-29T08:30 (UTC), or an age such as 15m.
        since: Replay only objects whose first record arrived from this time on, such as 2026-11-29T08:30 (UTC), or 24h.
        until: Replay only objects whose first record arrived before this time.
        speed: Seconds of the records that a replay shows in one second.
        rules: File in TOML with rules of alerts, instead of the default ones.
        host: Address to listen on. With the default, only this machine can connect.
        port: Port to listen on. 0 takes a free one.
        allow_host: Further name that browsers may call it by. May be repeated.
        open_: Open the page in the browser.
    """
    if (stream is None) == (store is None):
        raise ConfigurationError("stream", "or --store must be given, and not both", "Pass the one to show.")
    if not 0 < speed <= 100_000:  # noqa: PLR2004 - the page's own limit
        raise InvalidArgumentError("speed", speed, "must be over 0, and at most 100,000")
    rule_set = _rules(rules)
    serving = {"host": host, "port": port, "names": allow_host}
    if store is not None:
        connection.exported_settings()
        times = parse_times(datetime.now(UTC), since=since, until=until)
        return run_command(_replay(store, connection, rule_set, times, serving, speed, open_=open_))
    start = parse_start(from_, datetime.now(UTC))
    options = {"start": start, "application": application}
    name = connection.settings(stream).stream_name
    return run_command(_follow(name, connection, rule_set, options, serving, open_=open_))


def _rules(path: Path | None) -> RuleSet:
    from truckstream.alerts import default_rules  # noqa: PLC0415 - each command loads only what it needs

    return default_rules() if path is None else read_rules_file(path)


async def _follow(
    stream: str,
    connection: StreamConnection,
    rules: RuleSet,
    options: dict[str, Any],
    serving: dict[str, Any],
    *,
    open_: bool,
) -> int:
    from truckstream.dashboard import Dashboard, FleetView  # noqa: PLC0415 - each command loads only what it needs
    from truckstream.dashboard.feeds.stream_feed import StreamFeed, stream_source  # noqa: PLC0415

    view = FleetView(stream_source(stream), rules=rules)
    feed = StreamFeed(
        view,
        stream,
        **options,
        region_name=connection.region,
        endpoint_url=connection.endpoint_url,
        session=await connection.session(stream),
    )
    with stop_on_signals() as stop:
        async with Dashboard(view, **serving) as page:
            show_address(page.address, open_=open_)
            try:
                await first_of(feed.run(), stop.wait())
            except StreamNotFoundError as error:
                raise connection.with_hint(error, stream) from error
    return 0


async def _replay(
    store: str,
    connection: StreamConnection,
    rules: RuleSet,
    times: dict[str, Any],
    serving: dict[str, Any],
    speed: float,
    *,
    open_: bool,
) -> int:
    from truckstream.dashboard import Dashboard, FleetView  # noqa: PLC0415 - each command loads only what it needs
    from truckstream.dashboard.feeds.replay_table import ReplayTable  # noqa: PLC0415 - an optional package
    from truckstream.dashboard.feeds.store_feed import StoreFeed, store_source  # noqa: PLC0415

    network = {"region_name": connection.region, "endpoint_url": connection.endpoint_url}
    with error_console.status("Reading the objects …"):
        records = await asyncio.to_thread(ReplayTable, store, **times, **network)
    view = FleetView(store_source(store), rules=rules)
    with contextlib.closing(records), stop_on_signals() as stop:
        feed = StoreFeed(view, records, speed=speed)
        async with Dashboard(view, **serving, clock=feed.position, replay=feed) as page:
            show_address(page.address, open_=open_)
            await first_of(feed.run(), stop.wait())
    return 0


def show_address(address: str, *, open_: bool) -> None:
    """Print the address of the page, and open it in the browser if the user wants that."""
    print_plain(f"The dashboard is at {address}")
    if open_:
        webbrowser.open(address)


async def first_of(*work: Coroutine[Any, Any, object]) -> None:
    """Run coroutines until the first of them ends, and raise its error."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
