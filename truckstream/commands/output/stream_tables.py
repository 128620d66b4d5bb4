"""Streams and shards as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from truckstream.commands.output.aws_reports import format_table

if TYPE_CHECKING:
    from truckstream.cloud.watch.reading.streams import (
        ShardDescription,
        StreamDescription,
        StreamList,
        StreamWithShards,
    )

__all__ = ["format_stream", "format_streams"]

_STREAM_HEAD = ("stream", "status", "mode", "open shards", "retention", "encryption", "consumers")
_SHARD_HEAD = ("shard", "state", "share of keys", "parents")


def format_streams(found: StreamList) -> str:
    """Format the streams of an account and region, one a line."""
    if not found.streams:
        return f"There are no streams in {found.region}."
    table = format_table(_STREAM_HEAD, map(_stream_row, found.streams), right=(3, 4, 6))
    if not found.unread:
        return table
    return "\n".join([table, "", "Could not be read:", *(f"  {text}" for text in found.unread)])


def format_stream(found: StreamWithShards) -> str:
    """Format one stream and its shards."""
    stream = format_table(_STREAM_HEAD, [_stream_row(found.stream)], right=(3, 4, 6))
    shards = format_table(_SHARD_HEAD, map(_shard_row, found.shards), right=(2,))
    return f"{stream}\n\n{shards}"


def _stream_row(stream: StreamDescription) -> tuple[str, ...]:
    retention = None if stream.retention_hours is None else f"{stream.retention_hours:,} h"
    values = (stream.status, stream.mode, stream.open_shards, retention, stream.encryption, stream.consumers)
    return (stream.name, *("?" if value is None else str(value) for value in values))


def _shard_row(shard: ShardDescription) -> tuple[str, ...]:
    return (shard.shard_id, shard.state, f"{shard.share:.2%}", ", ".join(shard.parents) or "-")
