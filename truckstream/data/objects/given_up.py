"""Find and read the batches that Lambda gave up and stored in a bucket, the on-failure destination."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from truckstream.batcher.object_store.open_store import check_prefix, open_store
from truckstream.data.objects.catalog import store_url
from truckstream.data.objects.given_up_batch import (
    FAILURE_FOLDER,
    BrokenDocumentError,
    GivenUpBatch,
    given_up_at,
    read_document,
)
from truckstream.errors import InvalidArgumentError, StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from truckstream.batcher.object_store.store import ObjectStore

__all__ = ["GivenUpBatch", "given_up_batches"]

#: The clocks of Kinesis and of Lambda may differ so much.
_CLOCK_DIFFERENCE: Final = timedelta(minutes=5)


async def given_up_batches(
    store: str | Path | ObjectStore,
    *,
    prefix: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    on_broken: Callable[[str, str], None] | None = None,
    region_name: str | None = None,
    endpoint_url: str | None = None,
    store_options: Mapping[str, Any] | None = None,
) -> AsyncIterator[GivenUpBatch]:
    """Yield the batches that Lambda gave up whose first records arrived from `since` on and before `until`.

    One batch is in memory at a time. Objects with other keys than Lambda's for streams are left out, and so are batches
    of DynamoDB streams.

    A batch has its `records` only if the destination is a bucket. Queues and topics (SQS, SNS) receive metadata only: a
    batch whose document comes from there has `records=None` and names the range only.

    Args:
        store: `s3://bucket[/folder]`, `file:///directory`, the path of a directory, or an obstore store.
        prefix: the folder that contains `aws/lambda/`; Lambda itself writes to the top of the bucket.
        since: the earliest arrival of a batch's first record, with a time zone.
        until: the time before which the first record arrived, with a time zone.
        on_broken: called with the key of an object that is no such document, and the reason; the object is then left
            out. Without it, such an object raises.
        region_name: for S3, as in `Batcher`.
        endpoint_url: for S3, as in `Batcher`.
        store_options: further options of obstore's S3Store.

    Raises:
        ConfigurationError: the store cannot be opened, or the directory does not exist.
        StoreError: the store cannot be listed or read; or an object is broken, and there is no `on_broken`.
    """
    _check_aware(since=since, until=until)
    folder = check_prefix("prefix", prefix)
    opened = open_store(
        store_url(store) if isinstance(store, str | Path) else store,
        prefix=folder,
        region_name=region_name,
        endpoint_url=endpoint_url,
        options=store_options,
    )
    earliest = None if since is None else since - _CLOCK_DIFFERENCE
    async for chunk in opened.list(f"{folder}/{FAILURE_FOLDER}" if folder else FAILURE_FOLDER):
        for each in chunk:
            at = given_up_at(each.key)
            if at is None or (earliest is not None and at < earliest):
                continue
            try:
                batch = read_document(each.key, await opened.read(each.key))
            except BrokenDocumentError as error:
                _report(each.key, str(error), on_broken)
            except StoreError as error:
                if not isinstance(error.__cause__, FileNotFoundError):  # deleted since it was listed
                    raise
            else:
                if batch is not None and _is_within(batch.first_arrival, since, until):
                    yield batch


def _report(key: str, reason: str, on_broken: Callable[[str, str], None] | None) -> None:
    if on_broken is None:
        hint = "Move the object to another folder if it is not from Lambda."
        raise StoreError("BrokenDocument", f"{key} is no document about a batch: {reason}", hint=hint, retryable=False)
    on_broken(key, reason)


def _check_aware(**times: datetime | None) -> None:
    for argument, time in times.items():
        if time is not None and time.tzinfo is None:
            raise InvalidArgumentError(argument, time, "must have a time zone")


def _is_within(time: datetime, since: datetime | None, until: datetime | None) -> bool:
    return (since is None or since <= time) and (until is None or time < until)
