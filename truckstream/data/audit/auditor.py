"""Audit a store: prove that each record is stored exactly once, as far as the store and its stream can prove it."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from truckstream.checks import check_number
from truckstream.data.audit.counts.hourly_counts import HourlyCounts
from truckstream.data.audit.counts.incoming_records import read_incoming_records
from truckstream.data.audit.findings import AuditFinding
from truckstream.data.audit.given_up import explain, given_up_finding
from truckstream.data.audit.objects.compacted_files import CompactedFiles
from truckstream.data.audit.objects.inventory import Inventory
from truckstream.data.audit.objects.object_scan import AuditProgress, ObjectScan
from truckstream.data.audit.report import AuditReport, with_comparison
from truckstream.data.audit.shards.groups import assemble
from truckstream.data.audit.shards.shard_audit import GroupReader, audit_shard
from truckstream.data.audit.stream.stream_reading import StreamReading
from truckstream.data.objects.catalog import Catalog
from truckstream.data.objects.given_up import given_up_batches
from truckstream.kinesis.client import KinesisClient

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from truckstream.batcher.object_store.store import ObjectStore
    from truckstream.cloud.aws_account import Aws
    from truckstream.data.audit.report import AuditedShard
    from truckstream.kinesis.session.user_session import UserSession

__all__ = ["SETTLE_SECONDS", "audit"]

#: The longest call of a Lambda function. Records that are missing beside an older object are not under way any more.
SETTLE_SECONDS: Final = 900.0

#: A worker waits for a minute until a group is full, and a mapping for five at most.
_LONGEST_GROUP: Final = timedelta(minutes=15)


async def audit(
    store: str | Path | ObjectStore,
    *,
    prefix: str = "sensor_data",
    rejected_prefix: str = "rejected",
    stream: str | None = None,
    given_up: str | Path | ObjectStore | None = None,
    cloudwatch: Aws | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    quick: bool = False,
    settle: float = SETTLE_SECONDS,
    region_name: str | None = None,
    endpoint_url: str | None = None,
    store_options: Mapping[str, Any] | None = None,
    session: UserSession | None = None,
    on_progress: Callable[[AuditProgress], None] = lambda _: None,
) -> AuditReport:
    """Check that a store holds each record of its streams exactly once, unchanged.

    ```python
    report = await audit("s3://bucket", stream="truck-sensor-stream")
    assert report.exit_status == 0, report.findings
    ```

    Args:
        store: `s3://bucket[/folder]`, `file:///directory`, the path of a directory, or an obstore store.
        prefix: the folder of valid records, as in `Batcher`.
        rejected_prefix: the folder of rejected records, as in `Batcher`.
        stream: the name or ARN of a stream, whose records that it still has are compared with the objects one by one.
        given_up: the store with Lambda's on-failure destination, whose batches must be stored by now.
        cloudwatch: an account (`truckstream.cloud.aws_account.Account`, open), whose metric IncomingRecords is compared
            with the objects of each hour.
        since: the earliest arrival of an object's first record, with a time zone; by default all objects.
        until: the time before which the first record arrived, with a time zone.
        quick: read only the metadata, not the contents.
        settle: seconds for which an object may still wait for others. A hole beside a younger object proves nothing.
        region_name: of the buckets and of the stream, as in `Batcher` and `Consumer`.
        endpoint_url: in place of those of the region.
        store_options: further options of obstore's S3Store.
        session: the session, of aiobotocore or aioboto3, for the stream; by default a new one.
        on_progress: called from time to time.

    Raises:
        ConfigurationError: the store cannot be opened, or the directory does not exist.
        InvalidArgumentError: an option breaks a rule.
        StoreError: a store cannot be listed.
        ServiceError: the stream cannot be read.
        AwsError: CloudWatch returned an error.
    """
    check_number("settle", settle, 0)
    connection = {"region_name": region_name, "endpoint_url": endpoint_url, "store_options": store_options}
    catalog = Catalog(store, prefix=prefix, rejected_prefix=rejected_prefix, **connection)  # type: ignore[arg-type]
    with Inventory() as inventory:
        auditor = _Auditor(catalog, inventory, (since, until), settle, quick=quick, on_progress=on_progress)
        await auditor.read_objects(with_stream=stream is not None)
        if stream is not None:
            client = KinesisClient(stream, region_name=region_name, endpoint_url=endpoint_url, session=session)
            await auditor.compare_stream(client)
        if cloudwatch is not None:
            await auditor.compare_counts(cloudwatch)
        if given_up is not None:
            await auditor.look_for_given_up(given_up, connection)
        return auditor.report(stream)


class _Auditor:
    """The steps of one audit, and their results so far."""

    def __init__(
        self,
        catalog: Catalog,
        inventory: Inventory,
        times: tuple[datetime | None, datetime | None],
        settle: float,
        *,
        quick: bool,
        on_progress: Callable[[AuditProgress], None],
    ) -> None:
        self._catalog = catalog
        self._inventory = inventory
        self._since, self._until = times
        self._seconds = (_seconds(self._since), _seconds(self._until))
        self._settled_before = time.time() - settle
        self._quick = quick
        self._on_progress = on_progress
        self._reader = GroupReader(catalog)
        self._scan = ObjectScan(catalog, inventory, read_contents=not quick, on_progress=on_progress)
        self._compacted = CompactedFiles(catalog, inventory, read_contents=not quick)
        self._shards: dict[tuple[str, str], AuditedShard] = {}
        self._findings: list[AuditFinding] = []
        self._compared_hours: int | None = None

    async def read_objects(self, *, with_stream: bool) -> None:
        # A record that arrived at `since` may be in a group that began before.
        since = self._since - _LONGEST_GROUP if self._since is not None and with_stream else self._since
        await self._scan.run(since, self._until)
        self._findings += self._scan.findings
        await self._compacted.check(since, self._until)
        self._findings += self._compacted.findings
        self._inventory.seal()
        for place in self._inventory.shards():
            reader = None if self._quick else self._reader
            self._shards[place], found = await audit_shard(self._inventory, place, reader, self._settled_before)
            self._findings += found
        if not self._scan.objects and not self._compacted.deleted_originals:
            folders = f"{self._catalog.prefix}/ and {self._catalog.rejected_prefix}/"
            self._findings.append(AuditFinding.of("no_objects", f"no object of the time is below {folders}"))
        elif not self._shards:
            text = f"none of {self._scan.objects:,} objects has metadata"
            self._findings.append(AuditFinding.of("no_metadata", text))

    async def compare_stream(self, client: KinesisClient) -> None:
        scan = self._scan
        reading = StreamReading(
            client,
            self._inventory,
            self._reader,
            times=self._seconds,
            settled_before=self._settled_before,
            on_records=lambda count: self._on_progress(AuditProgress("stream", scan.objects, scan.bytes, count)),
        )
        try:
            await client.open()
            compared = await reading.compare()
        finally:
            await client.close()
        for place, comparison in compared:
            self._shards[place] = with_comparison(self._shards.get(place), place, comparison)
            self._findings += comparison.findings

    async def compare_counts(self, aws: Aws) -> None:
        self._compared_hours = 0
        for stream in sorted({stream for stream, _ in self._inventory.shards()}):
            counts = HourlyCounts(stream)
            for place in self._inventory.shards():
                if place[0] == stream:
                    counts.add_shard(group for group, _ in assemble(self._inventory.objects(*place)))
            since, until = self._seconds
            hours = counts.hours(since, min(until or self._settled_before, self._settled_before))
            if hours:
                taken = await read_incoming_records(aws, stream.rpartition("/")[2], hours)
                self._findings += counts.compare(hours, taken)
                self._compared_hours += len(hours)

    async def look_for_given_up(self, store: str | Path | ObjectStore, connection: Mapping[str, Any]) -> None:
        given_up = []

        def on_broken(key: str, reason: str) -> None:
            self._findings.append(AuditFinding.of("unreadable", f"{key} is no document of Lambda: {reason}", key))

        batches = given_up_batches(store, since=self._since, until=self._until, on_broken=on_broken, **connection)
        async for batch in batches:
            ends = (batch.first_sequence_number, batch.last_sequence_number)
            if not all(self._inventory.covers(batch.stream, batch.shard, number) for number in ends):
                given_up.append(given_up_finding(batch))
        self._findings = [*explain(self._findings, given_up), *given_up]

    def report(self, stream: str | None) -> AuditReport:
        scan = self._scan
        return AuditReport(
            objects=scan.objects,
            bytes=scan.bytes,
            compacted_files=self._compacted.files,
            deleted_originals=self._compacted.deleted_originals,
            read_contents=not self._quick,
            shards=tuple(shard for _, shard in sorted(self._shards.items())),
            rejected_by_reason=dict(scan.reasons),
            without_checksum=scan.without_checksum.count,
            without_checksum_keys=tuple(sorted(scan.without_checksum.keys)),
            without_metadata=scan.without_metadata.count,
            without_metadata_keys=tuple(sorted(scan.without_metadata.keys)),
            compared_stream=stream,
            compared_hours=self._compared_hours,
            findings=tuple(sorted(self._findings, key=_order)),
        )


def _seconds(time: datetime | None) -> float | None:
    return None if time is None else time.timestamp()


def _order(finding: AuditFinding) -> tuple[str, str, int, str]:
    first = finding.first_sequence_number
    return finding.stream or "", finding.shard or "", int(first) if first else -1, finding.text
