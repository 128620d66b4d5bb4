"""Listings go on after a request that failed, where the store lists its keys in order."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

import boto3
import pytest
from obstore.exceptions import GenericError

from truckstream.batcher.object_store.open_store import open_store
from truckstream.batcher.object_store.retry import StoreRetryPolicy
from truckstream.batcher.object_store.store import Store
from truckstream.errors import StoreError
from truckstream.local.s3 import S3Fault

KEYS = [f"sensor_data/{n}" for n in range(6)]


class PagedStore:
    """A store with two keys a page, whose requests fail before the pages with these numbers, counted from 1."""

    def __init__(self, *failing):
        self.failing = failing
        self.requests = 0
        self.offsets = []

    def put(self): ...

    def list(self, *_, offset, **__):
        self.offsets.append(offset)
        left = [key for key in KEYS if offset is None or key > offset]
        for start in range(0, len(left), 2):
            self.requests += 1
            if self.requests in self.failing:
                raise GenericError("Server returned non-2xx status code: 503 Slow Down")
            yield [
                {"path": key, "size": 1, "last_modified": datetime(2025, 1, 15, tzinfo=UTC)}
                for key in left[start : start + 2]
            ]


async def keys(store):
    return [each.key async for chunk in store.list("sensor_data") for each in chunk]


async def test_a_failed_page_is_asked_for_again():
    paged = PagedStore(1, 3, 4)
    assert await keys(Store(paged, StoreRetryPolicy(base=0.001), Random(1))) == KEYS
    assert paged.offsets == [None, None, KEYS[1], KEYS[1]]


async def test_pages_that_fail_for_long_end_the_listing():
    with pytest.raises(StoreError, match="503 Slow Down"):
        await keys(Store(PagedStore(2, 3, 4), StoreRetryPolicy(attempts=3, base=0.001), Random(1)))


async def test_a_store_without_a_retry_policy_is_asked_once():
    """A directory has none: it lists in any order, so that nothing could go on where it has failed."""
    with pytest.raises(StoreError, match="503 Slow Down"):
        await keys(Store(PagedStore(2)))


@pytest.mark.parametrize("kind", ["slow-down", "internal-error", "reset-before", "reset-after"])
async def test_a_listing_of_s3_is_retried(s3_store, kind):
    store = open_store(s3_store.url, prefix="", region_name="us-east-1", endpoint_url=s3_store.endpoint_url)
    boto3.client("s3").put_object(Bucket=s3_store.bucket, Key=KEYS[0], Body=b"")
    s3_store.set_faults(S3Fault(kind, method="LIST", count=2))
    assert await keys(store) == KEYS[:1]
    assert s3_store.hits == {kind: 2}
