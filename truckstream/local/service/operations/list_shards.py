"""ListShards: its filters and pages.

The filters (the API's `ShardFilterType`) select shards by their life from creation to closing. A closed shard is listed
until its last record has expired.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from truckstream.local.service.errors import invalid, stream_not_found
from truckstream.local.service.identifiers.iterator_token import PageToken, open_page, seal
from truckstream.local.service.quotas import limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from truckstream.local.service.messages import Request, Response
    from truckstream.local.service.state.account import KinesisAccount
    from truckstream.local.service.state.shard import LocalShard
    from truckstream.local.service.state.stream import Stream

__all__ = ["list_shards"]

#: The member that a filter requires beside its type.
_NEEDS: Final = {"AFTER_SHARD_ID": "ShardId", "AT_TIMESTAMP": "Timestamp", "FROM_TIMESTAMP": "Timestamp"}
#: Members that NextToken already contains.
_NOT_WITH_TOKEN: Final = (
    *("StreamName", "StreamARN", "ExclusiveStartShardId", "StreamCreationTimestamp", "ShardFilter"),
)


def list_shards(account: KinesisAccount, request: Request, now: float) -> Response:
    stream, after, chosen = _start(account, request, now)
    passes = _filter(stream, chosen, now)
    count = min(request.get("MaxResults", limits.LIST_SHARDS), limits.LIST_SHARDS)
    shards = [shard for shard in stream.shards.values() if shard.shard_id > after and passes(shard)]
    response: dict[str, Any] = {"Shards": [shard.describe() for shard in shards[:count]]}
    if len(shards) > count:
        last = shards[count - 1].shard_id
        response["NextToken"] = seal(PageToken(stream.name, stream.created_at, last, chosen, now))
    return response


def _start(account: KinesisAccount, request: Request, now: float) -> tuple[Stream, str, dict[str, Any] | None]:
    """Return the stream, the shard ID after which the page begins, and the filter."""
    if "NextToken" in request:
        for name in _NOT_WITH_TOKEN:
            if name in request:
                raise invalid(f"NextToken and {name} cannot be provided together.")  # [rec]
        token = open_page(request["NextToken"], now)
        stream = account.named({"StreamName": token.stream_name}, now)
        if stream.created_at != token.created_at:
            raise stream_not_found(stream.name, account.account_id)
        return stream, token.after, token.filter
    if "StreamName" not in request and "StreamARN" not in request:
        raise invalid("Either NextToken or StreamName should be provided.")  # [rec]
    stream = account.named(request, now)
    if not stream.was_created_at(request.get("StreamCreationTimestamp")):
        raise stream_not_found(stream.name, account.account_id)
    return stream, request.get("ExclusiveStartShardId", ""), request.get("ShardFilter")


def _filter(stream: Stream, chosen: dict[str, Any] | None, now: float) -> Callable[[LocalShard], bool]:
    kind = "FROM_TRIM_HORIZON" if chosen is None else chosen["Type"]
    needed = _NEEDS.get(kind)
    for name in ("ShardId", "Timestamp"):
        if ((chosen or {}).get(name) is not None) != (name == needed):
            must = "must" if name == needed else "must not"
            raise invalid(f"{name} {must} be provided with a ShardFilter of type {kind}.")
    # "Corrected to TRIM_HORIZON of the data stream if FROM_TIMESTAMP is less than the TRIM_HORIZON value."
    horizon = max(stream.created_at, stream.horizon(now))
    moment = max(horizon, (chosen or {}).get("Timestamp", 0.0))

    def ends_after(shard: LocalShard) -> bool:
        return shard.closed_at is None or shard.closed_at >= moment

    filters: dict[str, Callable[[LocalShard], bool]] = {
        "AFTER_SHARD_ID": lambda shard: shard.shard_id > (chosen or {})["ShardId"],
        "AT_LATEST": lambda shard: shard.is_open,
        "AT_TRIM_HORIZON": lambda shard: shard.created_at <= moment and ends_after(shard),
        "FROM_TRIM_HORIZON": ends_after,
        "AT_TIMESTAMP": lambda shard: shard.created_at <= moment and ends_after(shard),
        "FROM_TIMESTAMP": ends_after,
    }
    return filters[kind]
