"""The Batcher: it drives a delivery's course through the store, in parallel, within bounds and before the deadline.

One call's state is in one `_Call`. The Batcher itself holds what lasts: its options, its store, and how long a PUT
takes. So it can be used from several calls at once, and from a new event loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeGuard, get_args

import msgspec

from truckstream.batcher.formats.json_lines import Compression, FormatName, read_formats
from truckstream.batcher.grouping.batch_size import FULL, get_optimal_batch_size
from truckstream.batcher.grouping.plan import Course, Cut
from truckstream.batcher.reading.aggregates import take_apart
from truckstream.batcher.reading.checking import Checked, check
from truckstream.batcher.reading.event import read_delivery
from truckstream.batcher.reading.schema import read_schema
from truckstream.batcher.result import Committed, Result, account
from truckstream.batcher.storing.commit import Committer, Prefixes
from truckstream.batcher.storing.object_key import Layout
from truckstream.batcher.storing.put_time import PutTime
from truckstream.batcher.storing.store import Encryption, ObjectStore, check_prefix, open_store
from truckstream.errors import DeadlineError, InvalidArgumentError, StoreError, TruckstreamError
from truckstream.record import TruckRecord

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Batcher"]

_logger = logging.getLogger("truckstream.batcher")

#: The most records in an object: the most that Lambda delivers at once.
MAX_BATCH_SIZE: Final = 10_000

#: A group of which more than this share is refused speaks of a changed schema rather than of broken sensors.
INCIDENT_SHARE: Final = 0.5


class Batcher:
    """Stores Kinesis records in objects, each valid record once, however often it is delivered.

    Aggregates of the KPL are taken apart; "record" means a user record below, and one that came alone.

    ```python
    batcher = Batcher("s3://bucket", prefix="sensor_data", batch_size=700)
    result = await batcher.process(event["Records"])
    return result.batch_item_failures()
    ```

    Args:
        store: `s3://bucket[/folder]`, `file:///directory` (created if need be), `memory:///`, or an obstore store.
        prefix: where the objects of valid records lie.
        rejected_prefix: where the objects of refused records lie.
        batch_size: consecutive records of a group, refused ones included, 1 to 10,000; "auto" takes
            `get_optimal_batch_size` of each delivery. An aggregate of the KPL counts as its user records and is never
            split, so that the group which it fills may hold more. Changing it is safe at any time but between a
            delivery of which groups failed and its redelivery.
        layout: "flat", or "hive" for `year=…/month=…/day=…/hour=…/` by the arrival of a group's first record, UTC.
        event_time: with "hive", the field of the records that tells their time (ISO 8601, UTC if it names no offset, or
            seconds since the epoch): then an object lies in the hour of its first valid record's. Its other records may
            be of other hours, as trucks report late, and a wrong clock puts an object where nobody looks: ask for
            some hours more than you want, and select by the field itself. What is stored, and once, does not change.
        format: "ndjson", a record a line; "json", an array; or "parquet", a row a record with a typed column for each
            field of the schema, which must then be a msgspec Struct (needs truckstream[parquet]). Like `batch_size`,
            not to be changed between a delivery of which groups failed and its redelivery.
        compression: None, "gzip" or "zstd" (needs truckstream[zstd] before Python 3.14). Refused records are lines of
            JSON in any case, compressed likewise. Parquet has zstd inside.
        schema: what a valid record is: a type that msgspec decodes from JSON; a callable that takes the bytes and
            raises; or None, and every record is valid that is one line or JSON. In an array all must be JSON. What a
            callable returns does not matter, and what it raises should depend on the record alone. A name that a record
            has twice is refused where the type is a struct of plain fields, all required and no others allowed, as
            TruckRecord is; else the last of its values counts, as always with msgspec.
        max_in_flight: groups that one call stores at the same time.
        max_bytes_in_flight: the bytes of these, 16 MiB by default; a larger group goes alone.
        region_name, endpoint_url: for S3, as in aiobotocore; by default the environment's. An http:// endpoint is
            taken at its word.
        max_attempts: requests for one object of S3 before its group counts as not stored. Answers of 5xx, resets and
            timeouts (of 20 s) are repeated with exponential backoff and jitter: 6 attempts take 3 s at most.
        encryption: "AES256" (SSE-S3), "aws:kms" or "aws:kms:dsse"; None for the bucket's default.
        kms_key_id: the key of the last two, with its bucket key; None for the account's own.
        store_options: further options of obstore's S3Store, such as `client_options`.

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
        batch_size: int | Literal["auto"] = FULL,
        layout: Layout = "flat",
        event_time: str | None = None,
        format: FormatName = "ndjson",  # noqa: A002 - the word that everybody uses
        compression: Compression | None = None,
        schema: Any = TruckRecord,
        max_in_flight: int = 16,
        max_bytes_in_flight: int = 16 * 1024 * 1024,
        region_name: str | None = None,
        endpoint_url: str | None = None,
        max_attempts: int = 6,
        encryption: Encryption | None = None,
        kms_key_id: str | None = None,
        store_options: Mapping[str, Any] | None = None,
    ) -> None:
        prefixes = Prefixes(
            check_prefix("prefix", prefix), check_prefix("rejected_prefix", rejected_prefix), layout, event_time
        )
        _check_options(prefixes, batch_size, schema)
        _check_positive(max_in_flight=max_in_flight, max_bytes_in_flight=max_bytes_in_flight, max_attempts=max_attempts)
        self._prefixes = prefixes
        self._batch_size = batch_size
        self._formats = read_formats(format, compression, schema)
        self._schema = read_schema(schema, self._formats.data)
        self._max_in_flight = max_in_flight
        self._max_bytes = max_bytes_in_flight
        self._store = open_store(
            store,
            region_name=region_name,
            endpoint_url=endpoint_url,
            max_attempts=max_attempts,
            encryption=encryption,
            kms_key_id=kms_key_id,
            options=store_options,
        )
        self._put_time = PutTime()

    def __repr__(self) -> str:
        return f"Batcher({self._store!r}, prefix={self._prefixes.data!r}, batch_size={self._batch_size!r})"

    async def process(self, records: Sequence[Mapping[str, Any]], *, deadline: float | None = None) -> Result:
        """Store the records of a Kinesis event, all of one shard, and account for each.

        Nothing that a record holds and nothing that the store does raises here: refused records and groups that are
        not stored are in the result. Cancelling it leaves whole objects only; the same call later completes them.

        Args:
            records: the event's `Records`, as Lambda delivers them.
            deadline: when to be back, in seconds of the event loop's clock; None to take whatever time it takes. No
                PUT begins that would probably not be done by then, and what is under way is given up.

        Raises:
            InvalidArgumentError: these are not the records of one Kinesis shard.
        """
        if not records:
            return Result()
        checked = check(take_apart(read_delivery(records)), self._schema, self._formats)
        size = get_optimal_batch_size(len(checked)) if self._batch_size == "auto" else self._batch_size
        in_order = self._batch_size == "auto" and size < FULL
        _report_incidents(checked, size)
        clock = asyncio.get_running_loop().time
        call = _Call(
            checked=checked,
            course=Course(len(checked), size, in_order=in_order, edges=checked.data.edges),
            committer=Committer(self._store, self._prefixes, checked, self._put_time, clock),
            put_time=self._put_time,
            deadline=deadline,
            max_in_flight=self._max_in_flight,
            max_bytes=self._max_bytes,
        )
        return await call.run()


@dataclass(slots=True)
class _Call:
    """One delivery on its way."""

    checked: Checked
    course: Course
    committer: Committer
    put_time: PutTime
    deadline: float | None
    max_in_flight: int
    max_bytes: int
    waiting: deque[Cut] = field(default_factory=deque)
    tasks: dict[asyncio.Task[Committed], Cut] = field(default_factory=dict)
    sizes: dict[Cut, int] = field(default_factory=dict)
    bytes_in_flight: int = 0
    committed: list[Committed] = field(default_factory=list)
    causes: list[TruckstreamError] = field(default_factory=list)

    async def run(self) -> Result:
        try:
            while True:
                self._start()
                if not self.tasks:
                    return self._result()
                done, _ = await asyncio.wait(self.tasks, timeout=self._left(), return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    await self._settle(task)
                if not done:
                    await self._give_up()
        finally:
            await self._give_up()

    def _start(self) -> None:
        """Start what is due, as far as count and bytes allow; refuse what is due too late."""
        self.waiting.extend(self.course.due())
        while self.waiting and self._fits(self.waiting[0]):
            cut = self.waiting.popleft()
            if self._in_time(cut):
                self.bytes_in_flight += self._size(cut)
                self.tasks[asyncio.create_task(self.committer.commit(cut))] = cut
            else:
                self._fail(cut, DeadlineError(f"too little time was left to store {self._name(cut)}"))

    async def _settle(self, task: asyncio.Task[Committed]) -> None:
        """Take one group's outcome."""
        cut = self._land(task)
        try:
            committed = task.result()
        except StoreError as error:
            _logger.warning("%s is not stored: %s", self._name(cut), error)
            self._fail(cut, error, free=self.course.walking and await self._is_free(cut))
            return
        self.committed.append(committed)
        self.course.stored(cut, committed.stop, fresh=committed.fresh)

    async def _is_free(self, cut: Cut) -> bool:
        """True if there is known to be no object where the group begins: a look that takes too long shows nothing."""
        try:
            async with asyncio.timeout_at(self.deadline):
                return await self.committer.is_free(cut)
        except TimeoutError:
            return False

    async def _give_up(self) -> None:
        """Stop what is under way. An object whose PUT lands all the same is found by the redelivery."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for task in list(self.tasks):
            if task.cancelled():
                cut = self._land(task)
                self._fail(cut, DeadlineError(f"time was up while {self._name(cut)} was being stored"))
            else:
                await self._settle(task)

    def _land(self, task: asyncio.Task[Committed]) -> Cut:
        cut = self.tasks.pop(task)
        self.bytes_in_flight -= self._size(cut)
        return cut

    def _fail(self, cut: Cut, cause: TruckstreamError, *, free: bool = False) -> None:
        self.causes.append(cause)
        self.course.failed(cut, free=free)

    def _fits(self, cut: Cut) -> bool:
        if not self.tasks:
            return True
        return len(self.tasks) < self.max_in_flight and self.bytes_in_flight + self._size(cut) <= self.max_bytes

    def _size(self, cut: Cut) -> int:
        if cut not in self.sizes:
            self.sizes[cut] = self.checked.data.size(*cut) + self.checked.rejected.size(*cut)
        return self.sizes[cut]

    def _in_time(self, cut: Cut) -> bool:
        puts = sum(strand.count(*cut) > 0 for strand in (self.checked.data, self.checked.rejected))
        return self.put_time.allows(puts, asyncio.get_running_loop().time(), self.deadline)

    def _left(self) -> float | None:
        return None if self.deadline is None else max(0.0, self.deadline - asyncio.get_running_loop().time())

    def _name(self, cut: Cut) -> str:
        return f"the group of {cut.stop - cut.start} records from {self.checked.data.sequences[cut.start]}"

    def _result(self) -> Result:
        return account(self.checked, self.committed, self.causes, self.committer.put_seconds)


def _report_incidents(checked: Checked, size: int) -> None:
    """Say loudly where more of a group is refused than broken sensors explain."""
    for start in range(0, len(checked), size):
        stop = min(start + size, len(checked))
        refused = checked.rejected.count(start, stop)
        if refused > INCIDENT_SHARE * (stop - start):
            example = checked.refusals[checked.rejected.next_line(start)]
            _logger.error(
                "schema incident: %d of %d records from %s are refused, the first with %s (%s): %s",
                *(refused, stop - start, checked.data.sequences[start], example.code, example.field, example.rule),
            )


def _check_options(prefixes: Prefixes, batch_size: int | str, schema: Any) -> None:
    if prefixes.layout not in get_args(Layout):
        raise InvalidArgumentError("layout", prefixes.layout, 'must be "flat" or "hive"')
    if prefixes.event_time is not None:
        _check_event_time(prefixes.event_time, prefixes.layout, schema)
    if prefixes.data == prefixes.rejected:
        raise InvalidArgumentError("rejected_prefix", prefixes.rejected, "must differ from prefix")
    if batch_size != "auto" and not (_is_whole(batch_size) and 1 <= batch_size <= MAX_BATCH_SIZE):
        raise InvalidArgumentError("batch_size", batch_size, f'must be 1 to {MAX_BATCH_SIZE:,}, or "auto"')


def _check_event_time(field: str, layout: Layout, schema: Any) -> None:
    if layout != "hive":
        raise InvalidArgumentError("event_time", field, 'needs layout "hive"')
    if isinstance(schema, type) and issubclass(schema, msgspec.Struct):
        names = schema.__struct_encode_fields__
        if field not in names:
            raise InvalidArgumentError("event_time", field, f"must be a field of the records: {', '.join(names)}")
    elif not isinstance(field, str) or not field:
        raise InvalidArgumentError("event_time", field, "must be the name of a field")


def _check_positive(**options: int) -> None:
    for name, value in options.items():
        if not (_is_whole(value) and value >= 1):
            raise InvalidArgumentError(name, value, "must be a whole number, at least 1")


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
