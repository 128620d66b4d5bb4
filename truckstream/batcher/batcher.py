"""The Batcher: read an event, validate its records, group them and store the groups.

The Batcher holds only what lasts from call to call: its options, its store, and an estimate of the duration of a PUT.
The state of one call is in its `EventWriter`. So one Batcher can serve several calls at once, and calls from a new
event loop.
"""

from __future__ import annotations

import logging
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from truckstream.batcher.formats.selection import Compression, FormatName, select_formats
from truckstream.batcher.grouping.batch_size import FULL_GROUP, get_optimal_batch_size
from truckstream.batcher.grouping.plan import GroupPlan
from truckstream.batcher.object_store.open_store import Encryption, StorageClass, check_prefix, folder_of, open_store
from truckstream.batcher.options import check_batch_size, check_key_lengths, check_positive, read_key_schemes
from truckstream.batcher.reading.aggregates import expand_aggregates
from truckstream.batcher.reading.event import read_event
from truckstream.batcher.reading.schema import read_schema
from truckstream.batcher.reading.validation import ValidatedEvent, validate
from truckstream.batcher.result import Result, combine
from truckstream.batcher.second_target import copy_stored
from truckstream.batcher.storing.deadline import PutTimeEstimate
from truckstream.batcher.storing.event_writer import EventWriter, StoringOptions
from truckstream.errors import InvalidArgumentError, printable
from truckstream.record import TruckRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from truckstream.batcher.object_store.store import ObjectStore
    from truckstream.batcher.reading.event import KinesisEvent
    from truckstream.batcher.reading.rejected_record import Refusal
    from truckstream.batcher.second_target import SecondTarget
    from truckstream.batcher.storing.object_key import Layout

__all__ = ["Batcher", "GroupPreview"]

_logger = logging.getLogger("truckstream.batcher")

#: If more than this share of a group is rejected, the cause is probably a changed schema rather than broken sensors.
INCIDENT_SHARE: Final = 0.5


class GroupPreview(NamedTuple):
    """The key and the refusals that a group would get."""

    #: The key of the object that holds the group's first record, unless another group's object is there.
    key: str
    #: Why records would be rejected, by their index in the group.
    refusals: dict[int, Refusal]


class Batcher:
    """Stores Kinesis records in objects, each valid record once, however often Lambda delivers it.

    Aggregates of the KPL and envelopes are expanded; below, "record" means a user record, or a record that was not
    aggregated.

    ```python
    batcher = Batcher("s3://bucket", prefix="sensor_data", batch_size=700)
    result = await batcher.process(event["Records"])
    return result.batch_item_failures()
    ```

    Args:
        store: `s3://bucket[/folder]`, `file:///directory` (created if necessary), `memory:///`, or an obstore store.
        prefix: the folder of the objects of valid records.
        rejected_prefix: the folder of the objects of rejected records. Neither of the two folders may contain the
            other.
        batch_size: the number of consecutive records in a group, rejected ones included, 1 to 10,000; "auto" calls
            `get_optimal_batch_size` for each event. An aggregate counts as its user records. One of no more records
            than a group is never split, so the last one of a group may make it larger; a longer one makes groups of
            its own. 4 MiB of user records make a full group, too. Do not change the batch size between an event of
            which groups failed and its redelivery; at other times a change is safe.
        layout: "flat", or "hive" for `year=…/month=…/day=…/hour=…/` by the arrival of a group's first record, in UTC.
        event_time: with "hive", the field that contains a record's time (ISO 8601, UTC if it names no offset, or
            seconds since the epoch). An object then lies in the hour of its first valid record, or in the hour of its
            arrival if the two are more than a day apart: a truck with a wrong clock must not hide the records behind
            it. Its other records may belong to other hours, because trucks report late: query a day more than you need
            on both sides, and filter by the field itself. The setting does not affect which records are stored, or that
            each is stored once.
        format: "ndjson", a record a line; "json", an array, which Athena cannot read; or "parquet", a row a record with
            a typed column for each field of the schema, which must then be a msgspec Struct (needs
            truckstream[parquet]). Like `batch_size`, do not change it between an event of which groups failed and its
            redelivery.
        compression: None, "gzip" or "zstd". Rejected records are always lines of JSON, with the same compression.
            Parquet files use zstd inside.
        schema: the rule for valid records: a type that msgspec decodes from JSON; a callable that takes the bytes and
            raises; or None, which accepts every record that is JSON, or one line with or without a line break at its
            end. A line break at the end is never stored. With format "json" every record must be JSON. A callable's
            return value is ignored, and its exception should depend on the record alone. A field that a record has
            twice is rejected if the type is a struct of plain fields, all required and no others allowed, as
            TruckRecord is; else its last value counts, as always with msgspec.
        add_stream_fields: add the record's place in the stream to each line or row: `kinesis_sequence_number`,
            `kinesis_subsequence_number` (null for a record that was not aggregated), `kinesis_shard_id` and
            `kinesis_arrival_time` (UTC). The schema must be a msgspec Struct that has no field of these names and, for
            lines, forbids unknown ones.
        max_in_flight: the number of groups that one call stores at the same time.
        max_bytes_in_flight: the bytes of these groups, 16 MiB by default; a larger group is stored alone.
        region_name, endpoint_url: for S3, as in aiobotocore; by default the environment's. An endpoint may be http://.
        max_attempts: the number of requests for one object of S3 before its group counts as not stored. Responses of
            5xx, throttles, conflicts, resets and timeouts (of 20 s) are retried with exponential backoff and jitter: 6
            attempts wait 3 s at most.
        encryption: "AES256" (SSE-S3), "aws:kms" or "aws:kms:dsse"; None for the bucket's default.
        kms_key_id: the key for the last two, used with its bucket key; None for the account's own.
        storage_class: the class in which S3 stores the objects, such as "INTELLIGENT_TIERING"; None for STANDARD.
        store_options: further options of obstore's S3Store, such as `client_options`.
        second_target: takes the valid records, too, after they are stored; `OpenSearchSink` is one. Its failure changes
            nothing in the result: the records are stored, and are not delivered again for its sake. It is logged.
        second_target_timeout: the seconds that one call waits for the second target at most.

    Raises:
        ConfigurationError: the store cannot be opened.
        InvalidArgumentError: an option breaks a rule.
    """

    def __init__(
        self,
        store: str | ObjectStore,
        *,
        prefix: str = "sensor_data",
        rejected_prefix: str = "rejected",
        batch_size: int | Literal["auto"] = FULL_GROUP,
        layout: Layout = "flat",
        event_time: str | None = None,
        format: FormatName = "ndjson",  # noqa: A002 - the usual word for it
        compression: Compression | None = None,
        schema: Any = TruckRecord,
        add_stream_fields: bool = False,
        max_in_flight: int = 16,
        max_bytes_in_flight: int = 16 * 1024 * 1024,
        region_name: str | None = None,
        endpoint_url: str | None = None,
        max_attempts: int = 6,
        encryption: Encryption | None = None,
        kms_key_id: str | None = None,
        storage_class: StorageClass | None = None,
        store_options: Mapping[str, Any] | None = None,
        second_target: SecondTarget | None = None,
        second_target_timeout: float = 10.0,
    ) -> None:
        prefix = check_prefix("prefix", prefix)
        rejected_prefix = check_prefix("rejected_prefix", rejected_prefix)
        valid_keys, rejected_keys = read_key_schemes(prefix, rejected_prefix, layout, event_time, schema)
        check_batch_size(batch_size)
        check_positive(max_in_flight=max_in_flight, max_bytes_in_flight=max_bytes_in_flight, max_attempts=max_attempts)
        if not second_target_timeout > 0:
            raise InvalidArgumentError("second_target_timeout", second_target_timeout, "must be above 0")
        self._batch_size = batch_size
        self._formats = select_formats(format, compression, schema, add_stream_fields=add_stream_fields)
        self._schema = read_schema(schema, self._formats.valid)
        check_key_lengths(folder_of(store), valid_keys, rejected_keys, self._formats)
        opened = open_store(
            store,
            prefix=prefix,
            region_name=region_name,
            endpoint_url=endpoint_url,
            max_attempts=max_attempts,
            encryption=encryption,
            kms_key_id=kms_key_id,
            storage_class=storage_class,
            options=store_options,
        )
        self._storing = StoringOptions(opened, valid_keys, rejected_keys, max_in_flight, max_bytes_in_flight)
        self._put_time = PutTimeEstimate()
        self._second_target = second_target
        self._second_target_timeout = second_target_timeout

    def __repr__(self) -> str:
        storing = self._storing
        return f"Batcher({storing.store!r}, prefix={storing.valid_keys.prefix!r}, batch_size={self._batch_size!r})"

    @property
    def batch_size(self) -> int | Literal["auto"]:
        """The number of records in a group."""
        return self._batch_size

    async def process(self, records: Sequence[Mapping[str, Any]], *, deadline: float | None = None) -> Result:
        """Store the records of a Kinesis event, all of one shard, and account for each.

        Neither a record's content nor a failure of the store raises: rejected records and groups that are not stored
        are in the result. Cancelling leaves whole objects only; a later call with the same event completes them.

        Args:
            records: the event's `Records`, as Lambda delivers them.
            deadline: the time by which the call returns, in seconds of the event loop's clock; None for no limit. A PUT
                that would probably end later is not started, and a PUT that is still in flight then is given up.

        Raises:
            InvalidArgumentError: these are not the records of one Kinesis shard.
        """
        if not records:
            return Result()
        group_size, slices = self._slices(read_event(records))
        results: list[Result] = []
        for event in slices:
            if results and results[-1].first_failed is not None:
                # Lambda delivers these records again, too. No object may be stored behind a gap.
                results.append(Result(len(event), first_failed=event.sequences[0], oldest_arrival=min(event.arrivals)))
            else:
                results.append(await self._store(event, group_size, deadline))
        return combine(results)

    def _slices(self, event: KinesisEvent) -> tuple[int, Iterator[KinesisEvent]]:
        """Return the number of records in a group, and the slices of the event that are stored one after the other."""
        if self._batch_size != "auto":
            return self._batch_size, expand_aggregates(event, self._batch_size)
        slices = expand_aggregates(event, FULL_GROUP)
        ahead = list(islice(slices, 2))  # an event of several slices has enough records for full groups
        return get_optimal_batch_size(sum(map(len, ahead))), chain(ahead, slices)

    async def store_group(self, group: KinesisEvent, *, deadline: float | None = None) -> Result:
        """Store records, at least one, as one group, for callers that cut a shard into groups themselves.

        The group has the objects that `process` would make of it. If an object exists that begins with the same record
        and ends earlier, it is adopted, and the records after it make another group. The rest is as in `process`, but
        failures are logged at DEBUG only: the caller logs them when it calls this again with the records from
        `first_failed` on.

        Args:
            group: the records, aggregates taken apart.
            deadline: as for `process`.
        """
        return await self._store(group, len(group), deadline, logging.DEBUG)

    def preview(self, group: KinesisEvent) -> GroupPreview:
        """Return what `store_group` would make of a group, without storing anything."""
        validated = validate(group, self._schema, self._formats)
        valid = validated.valid
        main, keys = (
            (valid, self._storing.valid_keys)
            if valid.lines[0] is not None
            else (validated.rejected, self._storing.rejected_keys)
        )
        return GroupPreview(keys.key(main, 0), validated.refusals)

    async def _store(
        self, event: KinesisEvent, group_size: int, deadline: float | None, log_level: int = logging.WARNING
    ) -> Result:
        validated = validate(event, self._schema, self._formats)
        _log_schema_incidents(validated, group_size)
        in_order = self._batch_size == "auto" and group_size < FULL_GROUP
        plan = GroupPlan(len(event), group_size, in_order=in_order, boundaries=event.boundaries)
        result = await EventWriter(validated, plan, self._storing, self._put_time, deadline, log_level).write()
        if self._second_target is not None:
            await copy_stored(validated, result, self._second_target, self._second_target_timeout, deadline)
        return result


def _log_schema_incidents(event: ValidatedEvent, group_size: int) -> None:
    """Log an error for each group of which more records are rejected than broken sensors explain."""
    for start in range(0, len(event), group_size):
        stop = min(start + group_size, len(event))
        rejected = event.rejected.count(start, stop)
        if rejected > INCIDENT_SHARE * (stop - start):
            example = event.refusals[event.rejected.next_line(start)]
            reason = (printable(str(each)) for each in (example.code, example.field, example.rule))
            _logger.error(
                "schema incident: %d of %d records from %s are rejected, the first with %s (%s): %s",
                *(rejected, stop - start, event.valid.sequences[start], *reason),
            )
