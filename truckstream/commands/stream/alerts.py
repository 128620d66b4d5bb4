"""`truckstream alerts`: evaluate rules on a stream, and report the beginning and the end of each incident."""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 - cyclopts reads the annotations
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

from truckstream.commands.output.alert_lines import alert_line, rules_table
from truckstream.commands.output.console import console, error_console, print_plain
from truckstream.commands.signals import run_command, stop_on_signals, wait_for_closed_output
from truckstream.commands.stream.connection import DEFAULT_CONNECTION, StreamConnection
from truckstream.commands.stream.start import parse_start
from truckstream.errors import ConfigurationError, InvalidArgumentError, StreamNotFoundError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from truckstream.alerts import AlertEvent, RuleSet
    from truckstream.alerts.delivery import AlertTarget
    from truckstream.alerts.running import Alerts
    from truckstream.commands.stream.start import Start

__all__ = ["alerts", "read_rules_file"]

#: Never an option: other users of the machine see the options of a process.
_TOKEN: Final = "ALERTS_WEBHOOK_TOKEN"  # noqa: S105 - a variable's name


@Parameter(name="*")
@dataclass(frozen=True)
class _Targets:
    """Where the events go, besides standard output.

    Args:
        sns: ARN of a topic of SNS, standard or FIFO.
        webhook: URL that receives a POST for each event: https, or http on this machine. A token in the variable
            ALERTS_WEBHOOK_TOKEN is sent as a bearer token.
        allow_http: Allow a webhook on another machine without TLS.
        to_stream: Name or ARN of another stream.
    """

    sns: str | None = None
    webhook: Annotated[str | None, Parameter(env_var="ALERTS_WEBHOOK")] = None
    allow_http: bool = False
    to_stream: str | None = None


_NO_TARGETS: Final = _Targets()


def alerts(
    stream: str | None = None,
    *,
    connection: StreamConnection = DEFAULT_CONNECTION,
    targets: _Targets = _NO_TARGETS,
    rules: Path | None = None,
    from_: Annotated[str, Parameter(name="--from", allow_leading_hyphen=True)] = "LATEST",
    application: str | None = None,
    state: str | None = None,
    json: bool = False,
    check: Path | None = None,
    print_default_rules: bool = False,
) -> int:
    """Evaluate rules on a stream, and report the beginning and the end of each incident, until Ctrl-C.

    On a terminal, each event is a line for people; into a pipe or a file, and with --json, it is a line of JSON. Alerts
    with the same application share the shards, and go on where the last one stopped.

    Exit status: 0 after Ctrl-C; 1 if the stream, the leases or the state failed; 2 if an option or a rule is wrong; 130
    after a second signal.

    Example:
        truckstream alerts --print-default-rules > rules.toml
        truckstream alerts trucks --rules rules.toml --webhook https://example.com/h

    Args:
        stream: Name or ARN of the stream.
        connection: Region and endpoint.
        targets: Where the events go.
        rules: File with the rules, in TOML. By default the rules that --print-default-rules prints.
        from_: Where to begin without a checkpoint: TRIM_HORIZON (the oldest record), LATEST (new records only), a time
            such as 2026-11-29T08:30 (UTC), or an age such as 15m.
        application: Name of the lease table; by default that of the stream with -alerts behind it.
        state: Where incidents that last are kept: a directory, or s3://bucket/folder for workers on several machines.
            By default a directory of this user.
        json: Print lines of JSON.
        check: Check a file with rules, print them, and exit.
        print_default_rules: Print the default rules, with all kinds explained, and exit.
    """
    from truckstream.alerts import DEFAULT_RULES, default_rules  # noqa: PLC0415 - each command loads what it needs

    if print_default_rules:
        print_plain(DEFAULT_RULES.rstrip())
        return 0
    if check is not None:
        console.print(rules_table(read_rules_file(check)))
        return 0
    if stream is None:
        raise ConfigurationError("stream", "is missing", "Name it: truckstream alerts STREAM.")
    options: dict[str, Any] = {
        "rules": default_rules() if rules is None else read_rules_file(rules),
        "start": parse_start(from_, datetime.now(UTC)),
        "application": application or f"{stream.rpartition('/')[2]}-alerts",
        "state": state,
    }
    stream_name = connection.settings(stream).stream_name
    return run_command(_run(stream_name, connection, targets, as_json=json or not console.is_terminal, **options))


def read_rules_file(path: Path) -> RuleSet:
    """Return the rules of a file that an option names.

    Raises:
        ConfigurationError: it cannot be read, or a rule is wrong.
    """
    from truckstream.alerts import read_rules  # noqa: PLC0415

    try:
        return read_rules(path.read_text(encoding="utf-8"), path.name)
    except (OSError, UnicodeDecodeError) as error:
        hint = "`truckstream alerts --print-default-rules` prints rules to begin with."
        raise ConfigurationError("rules", f"{str(path)!r} cannot be read ({error})", hint) from error


async def _run(
    stream: str,
    connection: StreamConnection,
    wanted: _Targets,
    *,
    as_json: bool,
    rules: RuleSet,
    start: Start,
    application: str,
    state: str | None,
) -> int:
    from truckstream.alerts.running import Alerts  # noqa: PLC0415
    from truckstream.consumer.tables.default_table import state_folder  # noqa: PLC0415

    logging.basicConfig(format="truckstream: %(message)s", level=logging.WARNING)
    session = await connection.session(stream)
    network: dict[str, Any] = {
        "region_name": connection.region,
        "endpoint_url": connection.endpoint_url,
        "session": session,
    }
    with stop_on_signals() as stop:
        alerts = Alerts(
            stream,
            rules,
            _targets(stream, wanted, network, as_json=as_json),
            application=application,
            state=state or state_folder(os.environ) / f"{application}.state",
            start=start,
            **network,
        )
        try:
            async with alerts:
                watches = [
                    asyncio.create_task(_stop_after(wait, alerts)) for wait in (stop.wait(), wait_for_closed_output())
                ]
                try:
                    if console.is_terminal:
                        text = f"{len(rules.rules)} rules are evaluated on {stream}. Ctrl-C ends the command."
                        error_console.print(text, style="dim", highlight=False, soft_wrap=True, markup=False)
                    await alerts.run()
                finally:
                    for watch in watches:
                        watch.cancel()
        except StreamNotFoundError as error:
            raise connection.with_hint(error, stream) from error
    return 0


async def _stop_after(work: Coroutine[Any, Any, object], alerts: Alerts) -> None:
    await work
    alerts.stop()


def _targets(stream: str, wanted: _Targets, network: dict[str, Any], *, as_json: bool) -> list[AlertTarget]:
    from truckstream.alerts.delivery.line_target import LineTarget  # noqa: PLC0415

    def write(event: AlertEvent) -> None:
        if as_json:
            print_plain(event.to_json().decode())
        else:
            console.print(alert_line(event), soft_wrap=True)

    targets: list[AlertTarget] = [LineTarget(write)]
    if wanted.sns:
        from truckstream.alerts.delivery.sns_target import SnsTarget  # noqa: PLC0415

        targets.append(SnsTarget(wanted.sns))
    if wanted.webhook:
        from truckstream.alerts.delivery.webhook_target import WebhookTarget  # noqa: PLC0415

        token = os.environ.get(_TOKEN) or None
        targets.append(WebhookTarget(wanted.webhook, token=token, allow_http=wanted.allow_http))
    if wanted.to_stream:
        from truckstream.alerts.delivery.stream_target import EventStreamTarget  # noqa: PLC0415

        if wanted.to_stream.rpartition("/")[2] == stream.rpartition("/")[2]:
            raise InvalidArgumentError("to_stream", wanted.to_stream, "must be another stream than the one it reads")
        targets.append(EventStreamTarget(wanted.to_stream, **network))
    return targets
