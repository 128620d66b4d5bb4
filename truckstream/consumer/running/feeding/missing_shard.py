"""Calls that have not found their shard: whether it exists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from truckstream.kinesis.failures import FailureKind, RequestFailedError

if TYPE_CHECKING:
    from truckstream.kinesis.reading.reading_client import ReadingClient

__all__ = ["SHARD_IS_LISTED", "check_missing_shard"]

#: Code of a failure that has not found a shard, although the stream has it.
SHARD_IS_LISTED: Final = "ShardIsListed"


async def check_missing_shard(client: ReadingClient, failure: RequestFailedError, shard_id: str) -> RequestFailedError:
    """Return `failure`, or the one to act on instead if it has not found a shard that is still listed.

    A shard that was not found counts as read to its end, so that records would be skipped if it exists: a reshard is
    not known to all servers at once, and SubscribeToShard reports a missing consumer in the same way. Such a call is
    made again. Without a listing nothing is known, so that its failure is the one to act on.
    """
    if failure.code != "ResourceNotFoundException":
        return failure
    try:
        listed = {shard.shard_id for shard in await client.list_shards()}
    except RequestFailedError as error:
        return error
    if shard_id not in listed:
        return failure
    return RequestFailedError(FailureKind.AMBIGUOUS, SHARD_IS_LISTED, failure.message)
