"""A bucket of the local S3 for the library's real client, and randomness whose seed is shown."""

from __future__ import annotations

import logging
import os
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import obstore.store
import pytest

if TYPE_CHECKING:
    from truckstream.local.s3 import LocalS3


@dataclass(frozen=True)
class Bucket:
    """The bucket of a test."""

    s3: LocalS3
    #: A client that retries, to fill the bucket and to look at it.
    store: obstore.store.S3Store

    @classmethod
    def of(cls, s3: LocalS3) -> Bucket:
        options: Any = {"client_options": {"allow_http": True}}
        return cls(s3, obstore.store.S3Store(s3.bucket, endpoint=s3.endpoint_url, **options))

    def renewed(self) -> Bucket:
        """Go on with a new, empty bucket."""
        self.s3.reset()
        return self.of(self.s3)

    @property
    def url(self) -> str:
        return self.s3.url

    @property
    def at(self) -> dict[str, Any]:
        """Where the library's functions find it."""
        return {"region_name": self.s3.region_name, "endpoint_url": self.s3.endpoint_url}

    def tags(self, key: str) -> dict[str, str]:
        found = boto3.client("s3").get_object_tagging(Bucket=self.s3.bucket, Key=key)["TagSet"]
        return {each["Key"]: each["Value"] for each in found}


@pytest.fixture
def bucket(s3_store: LocalS3) -> Bucket:
    return Bucket.of(s3_store)


@pytest.fixture
def chance() -> random.Random:
    """A generator with a new seed each time; S3_SEED=4711 plays that seed again."""
    seed = int(os.environ.get("S3_SEED") or random.randrange(10**6))
    logging.getLogger("tests.data.s3").warning("S3_SEED=%d", seed)
    return random.Random(seed)
