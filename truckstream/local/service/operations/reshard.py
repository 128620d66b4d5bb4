"""SplitShard, MergeShards and UpdateShardCount."""

from __future__ import annotations

from typing import TYPE_CHECKING

from truckstream.local.service.errors import RefusedError, invalid, limit_exceeded, shard_not_found
from truckstream.local.service.quotas import limits

if TYPE_CHECKING:
    from truckstream.local.service.messages import Request, Response
    from truckstream.local.service.state.account import KinesisAccount
    from truckstream.local.service.state.shard import LocalShard
    from truckstream.local.service.state.stream import Stream

__all__ = ["merge_shards", "split_shard", "update_shard_count"]


def split_shard(account: KinesisAccount, request: Request, now: float) -> Response:
    shard_id = account.shard_id(request, "ShardToSplit")
    stream = _provisioned(account, request, now)
    shard = _open_shard(account, stream, shard_id)
    new_start = int(request["NewStartingHashKey"])
    if not shard.hash_range.start + 1 < new_start < shard.hash_range.end:
        raise invalid(  # [rec], see `errors`
            f"NewStartingHashKey {new_start} used in SplitShard() on shard {shard.shard_id} in stream {stream.name} "
            f"under account {account.account_id} is not both greater than one plus the shard's StartingHashKey "
            f"{shard.hash_range.start} and less than the shard's EndingHashKey {shard.hash_range.end}."
        )
    account.make_room(1, now)
    stream.split(shard, new_start, now)
    account.changing(stream, now)
    return None


def merge_shards(account: KinesisAccount, request: Request, now: float) -> Response:
    ids = [account.shard_id(request, member) for member in ("ShardToMerge", "AdjacentShardToMerge")]
    stream = _provisioned(account, request, now)
    shard, adjacent = (_open_shard(account, stream, shard_id) for shard_id in ids)
    if shard.hash_range.end + 1 != adjacent.hash_range.start:  # the other order is no adjacent pair either [rec]
        raise invalid(  # [rec]
            f"Shards {shard.shard_id} and {adjacent.shard_id} in stream {stream.name} under account "
            f"{account.account_id} are not an adjacent pair of shards eligible for merging"
        )
    stream.merge(shard, adjacent, now)
    account.changing(stream, now)
    return None


def update_shard_count(account: KinesisAccount, request: Request, now: float) -> Response:
    stream = _provisioned(account, request, now)
    current, target = len(stream.open_shards), request["TargetShardCount"]
    _check_resize(stream, current, target, now)
    account.make_room(max(0, target - current), now)
    stream.resizes.add(now)
    stream.resize(target, now)
    account.changing(stream, now)
    return {
        "StreamName": stream.name,
        "CurrentShardCount": current,
        "TargetShardCount": target,
        "StreamARN": stream.arn,
    }


def _check_resize(stream: Stream, current: int, target: int, now: float) -> None:
    counts = f"Current open shard count: {current} Target shard count: {target}"
    if target > 2 * current:
        raise invalid(f"UpdateShardCount cannot scale up over double your current open shard count. {counts}")
    if 2 * target < current:
        raise invalid(f"UpdateShardCount cannot scale down below half your current open shard count. {counts}")
    if target > limits.RESIZE_SHARDS:
        raise invalid(f"UpdateShardCount cannot scale a stream to more than {limits.RESIZE_SHARDS} shards. {counts}")
    if stream.resizes.count(now) >= limits.RESIZES_A_DAY:
        raise limit_exceeded(
            f"UpdateShardCount may be called {limits.RESIZES_A_DAY} times in 24 hours for a stream; "
            f"stream {stream.name} has reached it."
        )


def _provisioned(account: KinesisAccount, request: Request, now: float) -> Stream:
    """Return the stream that the request names, if it is ACTIVE and in provisioned mode."""
    stream = account.changeable(request, now)
    if stream.mode == "ON_DEMAND":
        text = f"Request is invalid. Stream {stream.name} under account {account.account_id} is in On-Demand mode."
        raise RefusedError("ValidationException", text)
    return stream


def _open_shard(account: KinesisAccount, stream: Stream, shard_id: str) -> LocalShard:
    shard = stream.shards.get(shard_id)
    if shard is None:
        raise shard_not_found(shard_id, stream.name, account.account_id)
    if not shard.is_open:
        raise invalid(  # [rec]
            f"Shard {shard_id} in stream {stream.name} under account {account.account_id} has already been merged or "
            "split, and thus is not eligible for merging or splitting."
        )
    return shard
