"""The progress of a query as the bytes that are kept of it, for all shards at once.

It is written after results were delivered. So a run that is killed has delivered at most the results of one step that
its progress does not show; the next run makes them again, with the same identity.

The records of windows that were not final are read again. `closed_before` keeps the next run from making windows again
of which it reads a part only; `read` keeps it from counting late records twice.
"""

from __future__ import annotations

import zlib
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from truckstream.consumer.leases.lease import Checkpoint
from truckstream.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Progress"]

_VERSION: Final = 1


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a query has come."""

    version: int = _VERSION
    #: `SqlOptions.query_id`.
    query: str
    #: The time at which shards begin that it has read nothing of; None for their oldest records.
    start: datetime | None = None
    #: Windows that end up to this time, in microseconds since the epoch, are final; None if none is.
    closed_before: int | None = None
    #: By the id of the shard: the position behind which the next run begins.
    resume: dict[str, tuple[str, int]] = {}
    #: By the id of the shard: the last record that was read.
    read: dict[str, tuple[str, int]] = {}

    def encode(self) -> bytes:
        """Return it as bytes. A thousand shards take 20 kB; an item of DynamoDB holds 400."""
        return zlib.compress(msgspec.json.encode(self))

    @classmethod
    def decode(cls, data: bytes) -> Progress:
        """Return the progress that `encode` made bytes of.

        Raises:
            ConfigurationError: another version wrote it.
        """
        try:
            progress = msgspec.json.decode(zlib.decompress(data), type=cls)
        except (zlib.error, msgspec.DecodeError) as error:
            raise _unknown(str(error)) from error
        if progress.version != _VERSION:
            raise _unknown(f"version {progress.version}")
        return progress

    @property
    def resume_positions(self) -> dict[str, Checkpoint]:
        """`resume` as checkpoints."""
        return _checkpoints(self.resume)

    @property
    def read_positions(self) -> dict[str, Checkpoint]:
        """`read` as checkpoints."""
        return _checkpoints(self.read)


def _checkpoints(positions: Mapping[str, tuple[str, int]]) -> dict[str, Checkpoint]:
    return {shard_id: Checkpoint(*position) for shard_id, position in positions.items()}


def _unknown(detail: str) -> ConfigurationError:
    problem = f"has progress in another format ({detail})"
    return ConfigurationError("application", problem, "Take another application, or the version that wrote it.")
