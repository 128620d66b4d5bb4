"""Audit a store: prove that each record is stored exactly once, as far as the store and its stream can prove it."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from truckstream.checks import check_number
from truckstream.data.audit.findings import AuditFinding
from truckstream.data.audit.objects.inventory import Inventory
from truckstream.data.audit.objects.object_scan import AuditProgress, ObjectScan
from truckstream.data.audit.objects.shard_audit import GroupReader, audit_shard
from truckstream.data.audit.report import AuditReport, with_comparison
from truckstream.data.audit.stream.stream_reading import StreamReading
from truckstream.data.objects.catalog import Catalog
from truckstream.kinesis.client import KinesisClient

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from aiobotocore.session import AioSession

    from truckstream.batcher.object_store.store import ObjectStore
    from truckstream.data.audit.report import AuditedShard
    from truckstream.data.audit.stream.stream_comparison import ShardComparison

__all__ = ["SETTLE_SECONDS", "audit"]

#: A worker waits for a minute until a group is full, and a mapping for five at most.
_LONGEST_GROUP: Final = timedelta(minutes=15)

#: The longest call of a Lambda function. What is missing beside an older object is not under way any more.
SETTLE_SECONDS: Final = 900.0


async def audit(
    store: str | Path | ObjectStore,
    *,
    prefix: str = "sensor_data",
    rejected_prefix: str = "rejected",
    stream: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    quick: bool = False,
    settle: float = SETTLE_SECONDS,
    region_name: str | None = None,
    endpoint_url: str | None = None,
    store_options: Mapping[str, Any] | None = None,
    session: AioSession | None = None,
    on_progress: Callable[[AuditProgress], None] = lambda _: None,
) -> AuditReport:
    """Check that a store holds each record of its streams exactly once, unchanged.

    ```python
    report = await audit("s3://bucket")
    assert report.exit_status == 0, report.findings
    ```

    Args:
        store: `s3://bucket[/folder]`, `file:///directory`, the path of a directory, or an obstore store.
        prefix: the folder of valid records, as in `Batcher`.
        rejected_prefix: the folder of rejected records, as in `Batcher`.
        stream: the name or ARN of a stream, whose records that it still has are compared with the objects one by one.
        since: the earliest arrival of an object's first record, with a time zone; by default all objects.
        until: the time before which the first record arrived, with a time zone.
        quick: read only the metadata, not the contents.
        settle: seconds for which an object may still wait for others. A hole beside a younger object proves nothing.
        region_name: of the bucket and of the stream, as in `Batcher` and `Consumer`.
        endpoint_url: in place of those of the region.
        store_options: further options of obstore's S3Store.
        session: the session of aiobotocore for the stream; by default a new one.
        on_progress: called from time to time.

    Raises:
        ConfigurationError: the store cannot be opened, or the directory does not exist.
        InvalidArgumentError: an option breaks a rule.
        StoreError: the store cannot be listed.
        ServiceError: the stream cannot be read.
    """
    check_number("settle", settle, 0)
    catalog = Catalog(
        store,
        prefix=prefix,
        rejected_prefix=rejected_prefix,
        region_name=region_name,
        endpoint_url=endpoint_url,
        store_options=store_options,
    )
    settled_before = time.time() - settle
    reader = GroupReader(catalog)
    with Inventory() as inventory:
        scan = ObjectScan(catalog, inventory, read_contents=not quick, on_progress=on_progress)
        # A record that arrived at `since` may be in a group that began before.
        await scan.run(since - _LONGEST_GROUP if since is not None and stream else since, until)
        findings = scan.findings
        shards: dict[tuple[str, str], AuditedShard] = {}
        for place in inventory.shards():
            shards[place], found = await audit_shard(inventory, place, None if quick else reader, settled_before)
            findings += found
        if stream is not None:
            client = KinesisClient(stream, region_name=region_name, endpoint_url=endpoint_url, session=session)
            reading = StreamReading(
                client,
                inventory,
                reader,
                times=(_seconds(since), _seconds(until)),
                settled_before=settled_before,
                on_records=lambda count: on_progress(AuditProgress("stream", scan.objects, scan.bytes, count)),
            )
            for place, comparison in await _compare(client, reading):
                shards[place] = with_comparison(shards.get(place), place, comparison)
                findings += comparison.findings
    if scan.without_metadata.count and not shards:
        findings.append(AuditFinding.of("no_metadata", f"none of {scan.without_metadata.count:,} objects has metadata"))
    return AuditReport(
        objects=scan.objects,
        bytes=scan.bytes,
        read_contents=not quick,
        shards=tuple(shard for _, shard in sorted(shards.items())),
        rejected_by_reason=dict(scan.reasons),
        without_checksum=scan.without_checksum.count,
        without_checksum_keys=tuple(sorted(scan.without_checksum.keys)),
        without_metadata=scan.without_metadata.count,
        without_metadata_keys=tuple(sorted(scan.without_metadata.keys)),
        compared_stream=stream,
        findings=tuple(sorted(findings, key=_order)),
    )


async def _compare(client: KinesisClient, reading: StreamReading) -> list[tuple[tuple[str, str], ShardComparison]]:
    try:
        await client.open()
        return await reading.compare()
    finally:
        await client.close()


def _seconds(time: datetime | None) -> float | None:
    return None if time is None else time.timestamp()


def _order(finding: AuditFinding) -> tuple[str, str, int, str]:
    first = finding.first_sequence_number
    return finding.stream or "", finding.shard or "", int(first) if first else -1, finding.text
