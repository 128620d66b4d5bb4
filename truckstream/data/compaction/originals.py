"""Tag the sources of complete files, so that lifecycle rules of the bucket can move or delete them.

Nothing here deletes an object. A rule for the tag does, or moves it to a cheaper class, whenever the bucket's owner
wants it. obstore cannot tag objects that exist, so these calls go through aiobotocore.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from truckstream.data.compaction.manifests.marks import Marks
from truckstream.errors import ConfigurationError

if TYPE_CHECKING:
    from datetime import datetime

    from truckstream.batcher.object_store.store import Store
    from truckstream.cloud.aws_account import Aws
    from truckstream.data.compaction.manifests.manifest import CompactionFolder

__all__ = ["TAG", "Bucket", "OriginalTags", "bucket_of"]

TAG: Final = {"Key": "truckstream-compacted", "Value": "true"}

#: Objects that are tagged at the same time.
_AT_ONCE: Final = 32


class Bucket(NamedTuple):
    """A bucket, and the folder before the keys of its objects."""

    name: str
    before: str


def bucket_of(url: str | None) -> Bucket:
    """Return the bucket of a store.

    Raises:
        ConfigurationError: its objects have no tags, or it was given as an object without a URL.
    """
    parts = urlsplit(url or "")
    if parts.scheme != "s3":
        raise ConfigurationError("originals", "is 'tier'", "Only objects in S3 have tags: pass s3://bucket, or 'keep'.")
    return Bucket(parts.netloc, f"{parts.path.strip('/')}/".removeprefix("/"))


class OriginalTags:
    """Tags the sources of a bucket.

    Args:
        store: the store.
        bucket: its bucket.
        folder: the keys of the compactions.
        aws: the account.
    """

    def __init__(self, store: Store, bucket: Bucket, folder: CompactionFolder, aws: Aws) -> None:
        self._bucket = bucket
        self._aws = aws
        self._marks = Marks(store, folder, "_tagged")
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def tag(self, hour: datetime) -> int:
        """Tag the sources of an hour's files, except those that were tagged before; return how many were tagged.

        Raises:
            StoreError: the store cannot be read or written.
            AwsError: a source cannot be tagged. The next run goes on.
        """
        tagged = 0
        for manifest in await self._marks.missing(hour):
            done = await asyncio.gather(*map(self._tag, manifest.sources))
            tagged += sum(done)
            await self._marks.set(manifest)
        return tagged

    async def _tag(self, key: str) -> bool:
        """Add the tag to those that an object has; return False if the object was deleted."""
        where: dict[str, Any] = {"Bucket": self._bucket.name, "Key": self._bucket.before + key}
        async with self._free:
            found = await self._aws.find("s3", "get_object_tagging", **where)
            if found is None:
                return False
            others = [each for each in found["TagSet"] if each["Key"] != TAG["Key"]]
            tags = {"TagSet": [*others, TAG]}
            return await self._aws.find("s3", "put_object_tagging", **where, Tagging=tags) is not None
