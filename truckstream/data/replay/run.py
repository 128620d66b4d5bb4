"""Replay refused records: read them, repair them, and replay those that are due.

The order of a run:

1. Finish what an earlier run has begun (`recovery.py`).
2. Store the batches that Lambda gave up (`given_up_storing.py`). Their invalid records are rejected, and so take part
   in the next step.
3. Read the rejected records in the order of their arrival. Those that are due are repaired and judged; those that are
   valid now are collected by hour, stream and shard, and replayed as intents (`execution.py`).
4. If a put of this run has had no response, find out what became of it, as in step 1.
"""

from __future__ import annotations

import asyncio
import uuid
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final

from truckstream.batcher import Batcher
from truckstream.batcher.object_store.open_store import check_prefix
from truckstream.data.objects.catalog import Catalog
from truckstream.data.replay.given_up_storing import GivenUpStoring
from truckstream.data.replay.journal.journal import Journal
from truckstream.data.replay.recovery import Recovery
from truckstream.data.replay.report import RunningCounts
from truckstream.data.replay.source_replay import SourceReplay, select
from truckstream.data.replay.targets.store_target import StoreTarget
from truckstream.data.replay.targets.stream_target import StreamTarget
from truckstream.errors import InvalidArgumentError
from truckstream.record import TruckRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from truckstream.batcher.object_store.store import ObjectStore
    from truckstream.data.replay.reading.repairing import Repair
    from truckstream.data.replay.report import ReplayReport
    from truckstream.kinesis.session.user_session import UserSession

__all__ = ["replay"]

#: How often a run finds out what became of puts without a response, and puts the missing records.
_ROUNDS: Final = 3


async def replay(
    store: str | Path | ObjectStore,
    *,
    batcher: Batcher | None = None,
    stream: str | None = None,
    given_up: str | Path | ObjectStore | None = None,
    repair: Repair | None = None,
    schema: Any = TruckRecord,
    reasons: Sequence[str] = (),
    shards: Sequence[str] = (),
    objects: Sequence[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
    rejected_prefix: str = "rejected",
    journal_prefix: str = "replayed",
    dry_run: bool = False,
    resend_unknown: bool = False,
    put_timeout: float = 20.0,
    region_name: str | None = None,
    endpoint_url: str | None = None,
    session: UserSession | None = None,
    store_options: Mapping[str, Any] | None = None,
    stop: asyncio.Event | None = None,
    on_progress: Callable[[ReplayReport], None] | None = None,
) -> ReplayReport:
    """Replay rejected records, and batches that Lambda gave up, into the store or into a stream, each exactly once.

    A run finishes what an earlier run has begun. Running it again replays only what is still due, and being killed at
    any moment neither loses nor doubles a record. `README.md` in `truckstream/data/` states what is guaranteed and why.

    Args:
        store: has the rejected records, and the journal: `s3://bucket[/folder]`, `file:///directory`, the path of a
            directory, or an obstore store.
        batcher: makes the objects of a replay into the store; give it the options of the function or worker that made
            the others. By default one with `schema` and otherwise default options.
        stream: name or ARN of the stream to put the records into, instead of the store.
        given_up: the bucket of the mapping's on-failure destination. Its batches are stored, too; not with `stream`.
        repair: gets each rejected record (`Rejected`) and returns the bytes to replay, or None to leave it refused.
            Without it, records are judged as they are, for after a change of the schema.
        schema: the rule for valid records, as in `Batcher`. Unused if you pass a batcher.
        reasons: replay only records that were rejected for one of these reasons, and batches with these conditions.
        shards: replay only records of these shards.
        objects: replay only the records in the objects with these keys.
        since: the earliest arrival of the first record of an object or batch, with a time zone.
        until: the time before which it arrived, with a time zone.
        rejected_prefix: the folder of rejected records, as in `Batcher`.
        journal_prefix: the folder of the journal. Without its journal, a store does not know what was replayed.
        dry_run: write nothing, and return the account that the run would have.
        resend_unknown: put records again of which nobody can find out any more whether an interrupted run has put them.
        put_timeout: seconds within which a put to the stream has its outcome. After an interrupted run, the next one
            waits until three times this time has passed.
        region_name: as in aiobotocore, for S3 and for Kinesis.
        endpoint_url: as in aiobotocore, for S3 and for Kinesis.
        session: for Kinesis, as in aiobotocore.
        store_options: further options of obstore's S3Store.
        stop: once it is set, the run ends early, with everything finished that it has begun.
        on_progress: called with the account so far, after each object.

    Raises:
        InvalidArgumentError: an option breaks a rule.
        ConfigurationError: a store cannot be opened, or an earlier run with other options must be finished first.
        StoreError: a store cannot be read or written. Run it again.
        ServiceError: the stream cannot be used.
    """
    if stream is not None and batcher is not None:
        raise InvalidArgumentError("stream", stream, "pass either a batcher, for the store, or a stream")
    if stream is not None and given_up is not None:
        rule = "goes into the store, because some groups of its batches may be stored: leave stream out"
        raise InvalidArgumentError("given_up", given_up, rule)
    if repair is not None and not callable(repair):
        raise InvalidArgumentError("repair", repair, "must be a function")
    selection = select(reasons, shards, objects, since, until)
    if selection.given_up_keys and given_up is None:
        raise InvalidArgumentError("objects", min(selection.given_up_keys), "is Lambda's: pass its bucket as given_up")
    connection: dict[str, Any] = {"region_name": region_name, "endpoint_url": endpoint_url}
    catalog = Catalog(store, rejected_prefix=rejected_prefix, store_options=store_options, **connection)
    async with AsyncExitStack() as exits:
        target: StoreTarget | StreamTarget
        if stream is not None:
            target = StreamTarget(stream, schema=schema, put_timeout=put_timeout, session=session, **connection)
            await exits.enter_async_context(target)
        else:
            batcher = batcher or Batcher(
                catalog.url or store,  # type: ignore[arg-type]
                rejected_prefix=rejected_prefix,
                schema=schema,
                store_options=store_options,
                **connection,
            )
            target = StoreTarget(batcher, catalog.store)
        account = RunningCounts(target.name, dry_run=dry_run)
        journal = Journal(
            catalog.store, check_prefix("journal_prefix", journal_prefix), uuid.uuid4().hex, dry_run=dry_run
        )
        stop = stop or asyncio.Event()
        run = SourceReplay(catalog, target, journal, account, selection, repair, stop, on_progress)
        recovery = Recovery(run.execution, target, stop, resend_unknown=resend_unknown)
        await recovery.run()
        if given_up is not None and batcher is not None:
            storing = GivenUpStoring(batcher, catalog.store, journal.folder, account, dry_run=dry_run)
            await run.store_given_up(storing, given_up, connection | {"store_options": store_options})
        if selection.rejected_keys or not selection.only_keys:
            await run.replay_rejected(recovery.counted)
        for _ in range(_ROUNDS):
            if not run.execution.has_unknown:
                break
            run.execution.has_unknown = False
            await recovery.run()
        return account.report()
