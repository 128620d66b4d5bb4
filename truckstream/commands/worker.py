"""`truckstream worker`: store a stream in a bucket, each record once, without Lambda."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from truckstream.commands.signals import run_command, stop_on_signals
from truckstream.config import load_command_settings
from truckstream.errors import ConfigurationError

if TYPE_CHECKING:
    from truckstream.worker import Worker

__all__ = ["worker"]


def worker(
    *,
    stream: str | None = None,
    bucket: str | None = None,
    application: Annotated[str, Parameter(env_var="APPLICATION")] = "lake",
    start: Annotated[str, Parameter(env_var="START")] = "TRIM_HORIZON",
    lease_table: Annotated[str | None, Parameter(env_var="LEASE_TABLE")] = None,
    max_wait: Annotated[float, Parameter(env_var="MAX_WAIT")] = 60.0,
    max_group_bytes: Annotated[int, Parameter(env_var="MAX_GROUP_BYTES")] = 4 * 1024 * 1024,
    max_in_flight: Annotated[int, Parameter(env_var="MAX_IN_FLIGHT")] = 16,
    grace: Annotated[float, Parameter(env_var="GRACE")] = 25.0,
    health_port: Annotated[int | None, Parameter(env_var="HEALTH_PORT")] = None,
    stuck_after: Annotated[float, Parameter(env_var="STUCK_AFTER")] = 600.0,
    region: str | None = None,
    endpoint_url: str | None = None,
) -> int:
    """Store a stream in a bucket, each record once, until SIGTERM or Ctrl-C.

    Workers with the same application share the shards of the stream. SIGTERM or Ctrl-C stores what was read and hands
    the shards over to the other workers. The variables of the Lambda function set the objects: STORE_URL in place of
    the bucket, PREFIX, REJECTED_PREFIX, BATCH_SIZE, LAYOUT, EVENT_TIME, FORMAT, COMPRESSION, SCHEMA, ENCRYPTION,
    KMS_KEY_ID and STORAGE_CLASS; LOG_LEVEL sets the lines of JSON on standard output.

    Exit status: 0 if all shards were handed over; 1 if the time for that was up (nothing is lost, but the shards wait
    for their leases to expire), or if the stream or the lease table failed; 2 if an option or a setting is wrong; 130
    after a second signal.

    Example:
        truckstream worker --stream trucks --bucket acme-truck-data

    Args:
        stream: Name or ARN of the stream. [STREAM_NAME]
        bucket: Bucket of the objects. [BUCKET_NAME]
        application: Name that the workers of the stream share, and of their lease table.
        start: Where to begin without a checkpoint: TRIM_HORIZON (the oldest record) or LATEST.
        lease_table: Where the leases are kept: dynamodb:NAME, or sqlite:FILE for workers on one machine. By default a
            table of DynamoDB with the name of the application, or a file if Kinesis is on this machine.
        max_wait: Seconds after which a group is stored, even if it is not full.
        max_group_bytes: Bytes of data that make a group full.
        max_in_flight: Groups that are stored at the same time.
        grace: Seconds within which the shards are handed over after SIGTERM.
        health_port: Port of the health endpoint, with /healthz and /readyz. Without it there is none.
        stuck_after: Seconds after which a shard that cannot be stored makes /healthz fail.
        region: Region of the stream, the leases and the bucket. [AWS_REGION]
        endpoint_url: Endpoint of Kinesis to use instead of the region's, such as a local server's.
    """
    settings = load_command_settings(stream_name=stream, bucket_name=bucket, region=region)
    environment = _batcher_environment(settings.bucket_name, is_flag=bucket is not None)
    options = {
        "application": application,
        "start": start,
        "max_wait": max_wait,
        "max_group_bytes": max_group_bytes,
        "max_in_flight": max_in_flight,
        "grace": grace,
        "stuck_after": stuck_after,
        "region_name": settings.region,
        "endpoint_url": endpoint_url,
    }
    if lease_table:  # an empty variable counts as not set
        from truckstream.consumer.tables.named_table import named_table  # noqa: PLC0415

        options["leases"] = named_table(lease_table, region_name=settings.region)
    return run_command(_run_worker(settings.stream_name, environment, options, health_port))


def _batcher_environment(bucket: str | None, *, is_flag: bool) -> dict[str, str]:
    """Return the variables of the function, with the bucket of the flag or of `.env`."""
    environment = dict(os.environ)
    if is_flag:
        environment.pop("STORE_URL", None)
    if bucket is not None:
        environment["BUCKET_NAME"] = bucket
    if not (environment.get("STORE_URL") or environment.get("BUCKET_NAME")):
        raise ConfigurationError("bucket_name", "is not set", "Pass --bucket, or set BUCKET_NAME or STORE_URL.")
    return environment


async def _run_worker(
    stream: str, environment: dict[str, str], options: dict[str, Any], health_port: int | None
) -> int:
    from lambda_entry.settings import read_batcher  # noqa: PLC0415 - each command loads only what it needs
    from truckstream.lambda_function.logs import JsonLines  # noqa: PLC0415
    from truckstream.worker import Worker  # noqa: PLC0415

    log = JsonLines()
    with stop_on_signals() as stop:
        worker = Worker(stream, read_batcher(environment), **options)
        log.install(environment.get("LOG_LEVEL", "INFO"))
        try:
            async with _health_server(worker, health_port), worker:
                stopping = asyncio.create_task(_stop_with(stop, worker))
                try:
                    return 0 if await worker.run() else 1
                finally:
                    stopping.cancel()
        finally:
            log.uninstall()


def _health_server(worker: Worker, port: int | None) -> contextlib.AbstractAsyncContextManager[Any]:
    if port is None:
        return contextlib.nullcontext()
    from truckstream.worker.health.health_server import HealthServer  # noqa: PLC0415

    return HealthServer(lambda: worker.health, port)


async def _stop_with(stop: asyncio.Event, worker: Worker) -> None:
    await stop.wait()
    worker.stop()
