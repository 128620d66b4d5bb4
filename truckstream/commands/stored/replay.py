"""`truckstream replay`: put rejected records and given-up batches back, each exactly once."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from cyclopts import Parameter

from truckstream.commands.output.console import error_console
from truckstream.commands.output.results import print_result
from truckstream.commands.signals import stop_on_signals
from truckstream.commands.stored.interruption import run_interruptible
from truckstream.commands.stored.users_code import load_named, load_schema
from truckstream.commands.stream.connection import DEFAULT_CONNECTION, StreamConnection
from truckstream.commands.stream.start import parse_times
from truckstream.errors import StreamNotFoundError

if TYPE_CHECKING:
    from rich.status import Status

    from truckstream.data.replay import ReplayReport

__all__ = ["replay"]

_STOPPING: Final = "truckstream: Stopping after what was begun. Ctrl-C again ends it at once."
_INTERRUPTED: Final = "Interrupted. Nothing is lost or doubled: the next run goes on."


def replay(
    store: str,
    *,
    stream: str | None = None,
    given_up: str | None = None,
    repair: str | None = None,
    schema: Annotated[str, Parameter(env_var="SCHEMA")] = "truck",
    reason: list[str] | None = None,
    shard: list[str] | None = None,
    object_: Annotated[list[str] | None, Parameter(name="--object")] = None,
    since: str | None = None,
    until: str | None = None,
    prefix: Annotated[str, Parameter(env_var="PREFIX")] = "sensor_data",
    rejected_prefix: Annotated[str, Parameter(env_var="REJECTED_PREFIX")] = "rejected",
    dry_run: bool = False,
    resend_unknown: bool = False,
    put_timeout: float = 20.0,
    connection: StreamConnection = DEFAULT_CONNECTION,
    json: bool = False,
) -> int:
    """Put rejected records, and batches that Lambda gave up, back into the store or a stream, each exactly once.

    Records are judged again, after the repair if there is one; those that are valid now are replayed. Running it again
    replays only what is still due, and a run that was interrupted is continued. The originals are never deleted. Into
    the store, the variables of the Lambda function set the objects: BATCH_SIZE, LAYOUT, EVENT_TIME, FORMAT,
    COMPRESSION, ENCRYPTION, KMS_KEY_ID and STORAGE_CLASS. Ctrl-C ends the run after what it has begun.

    Exit status: 0 if no record is left refused or unknown; 1 if some are, if Ctrl-C has stopped it, or if the store or
    the stream failed; 2 if an option or a setting is wrong; 130 after a second Ctrl-C.

    Example:
        truckstream replay s3://bucket --repair repairs:fix_odometer --dry-run

    Args:
        store: s3://bucket, file:///directory, or the path of a directory.
        stream: Name or ARN of the stream to put the records into, instead of the store.
        given_up: Bucket of the mapping's on-failure destination, whose batches are stored, too: s3://failed-bucket.
        repair: Function that gets each rejected record and returns the bytes to replay, or None: module:name.
        schema: Schema of valid records: truck, none, or module:Name.
        reason: Only records that were rejected for this reason, or batches with this condition; may be repeated.
        shard: Only records of this shard, such as shardId-000000000003 or 3; may be repeated.
        object_: Only the records in this object; may be repeated.
        since: Begin with objects whose records arrived at this time, such as 2026-11-29T08:30 (UTC), or 24h.
        until: End before this time.
        prefix: Folder of the valid records.
        rejected_prefix: Folder of the rejected records.
        dry_run: Show the account that the run would have, and write nothing.
        resend_unknown: Put records again of which nobody can find out whether an interrupted run has put them.
        put_timeout: Seconds for a put to the stream. After an interrupted run, the next one waits for three times this.
        connection: Region and endpoint, of the bucket and of the stream.
        json: Print the account as JSON.
    """
    settings = connection.exported_settings(stream)
    options = {
        "stream": settings.stream_name if stream is not None else None,
        "given_up": given_up,
        "repair": None if repair is None else load_named("repair", repair, "module:name of a function"),
        "reasons": reason or (),
        "shards": [_shard_id(text) for text in shard or ()],
        "objects": object_ or (),
        **parse_times(datetime.now(UTC), since=since, until=until),
        "rejected_prefix": rejected_prefix,
        "dry_run": dry_run,
        "resend_unknown": resend_unknown,
        "put_timeout": put_timeout,
        "region_name": settings.region,
        "endpoint_url": connection.endpoint_url,
    }
    if stream is not None:
        options["schema"] = load_schema(schema)
    variables = {"SCHEMA": schema, "PREFIX": prefix, "REJECTED_PREFIX": rejected_prefix}
    return run_interruptible(_replay(store, connection, options, variables, json=json), _INTERRUPTED, json=json)


async def _replay(
    store: str, connection: StreamConnection, options: dict[str, Any], variables: dict[str, str], *, json: bool
) -> int:
    import truckstream  # noqa: PLC0415 - each command loads only what it needs

    stream = options["stream"]
    if stream is None:
        options["batcher"] = _batcher(store, connection, options["region_name"], variables)
    else:
        options["session"] = await connection.session(stream)
    with stop_on_signals(_show_stop) as stop, error_console.status("Reading the journal …") as status:
        try:
            report = await truckstream.replay(
                store, **options, stop=stop, on_progress=lambda report: _show(status, report)
            )
        except StreamNotFoundError as error:
            raise connection.with_hint(error, str(stream)) from error
    print_result({**msgspec.to_builtins(report), "ok": report.ok}, report.summary(), json=json)
    return 0 if report.ok else 1


def _batcher(store: str, connection: StreamConnection, region: str | None, variables: dict[str, str]) -> Any:
    """Return a batcher with the options of the function."""
    from lambda_entry.settings import read_batcher  # noqa: PLC0415
    from truckstream.data.objects.catalog import store_url  # noqa: PLC0415

    given = {"STORE_URL": store_url(store), "AWS_REGION": region, "AWS_ENDPOINT_URL_S3": connection.endpoint_url}
    return read_batcher({**os.environ, **variables, **{name: value for name, value in given.items() if value}})


def _shard_id(text: str) -> str:
    return f"shardId-{int(text):012}" if text.isdecimal() else text


def _show_stop() -> None:
    error_console.print(_STOPPING, highlight=False, soft_wrap=True)


def _show(status: Status, report: ReplayReport) -> None:
    status.update(
        f"{report.replayed:,} records replayed, {report.already_replayed:,} before, "
        f"{report.still_refused:,} still refused"
    )
