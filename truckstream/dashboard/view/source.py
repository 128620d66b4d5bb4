"""The source of the records that a view shows, and the figures that it knows."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

__all__ = ["Figure", "ViewSource"]

#: A figure that not every feed knows. The page says so where one is missing, because 0 would be a lie.
#:
#: - shards: the shard of each record, and with it the load of each shard.
#: - bytes: the size of each record.
#: - throttles: requests that the service throttled.
#: - latency: seconds from a record to its object in the store.
#: - lag: how far reading is behind the stream.
Figure: TypeAlias = Literal["shards", "bytes", "throttles", "latency", "lag"]


class ViewSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where a view's records come from."""

    #: Shown in the heading, such as the stream's name.
    title: str
    #: The kind of feed, such as "stream".
    kind: Literal["stream", "demo", "store"]
    known: frozenset[Figure] = frozenset()
    #: The meaning of a figure at this source, where it needs one: {"lag": "records in the stream"}.
    meanings: dict[Figure, str] = {}
