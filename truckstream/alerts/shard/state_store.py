"""The states of shards, in a directory or a bucket.

A state is an object `SHARD/POSITION`, where the position is that of the last record in it. The newest one counts. It is
written before the checkpoint, so that it never lacks a record that the checkpoint covers; records that it has already
and that come again are recognised. A worker that was paused, and writes after it has lost its lease, writes an older
position, which nobody reads.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from truckstream.batcher.object_store.open_store import open_store, url_of
from truckstream.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from truckstream.batcher.object_store.store import Store

__all__ = ["AlertStateStore"]

_POSITION: Final = re.compile(r"(\d{1,129})-(\d{1,10})", re.ASCII)


class AlertStateStore:
    """Keeps one state a shard.

    Args:
        place: a directory, `s3://bucket/folder`, `file:///directory` or `memory:///`.
        region_name: the region of a bucket.

    Raises:
        ConfigurationError: the place cannot be opened.
    """

    def __init__(self, place: str | Path, *, region_name: str | None = None) -> None:
        self._store = _open(place, region_name)

    async def load(self, shard: str) -> bytes | None:
        """Return the newest state of a shard; None if there is none.

        Raises:
            StoreError: the store cannot be read.
        """
        names = await self._names(shard)
        return await self.read(names[-1]) if names else None

    async def save(self, shard: str, position: tuple[str, int], state: bytes) -> None:
        """Write the state after the record at a position, then delete older ones.

        Args:
            shard: the name of the shard.
            position: the record's sequence number and subsequence number, such as a checkpoint.
            state: the state.

        Raises:
            StoreError: it is not written, or it is unknown whether it is.
        """
        name = f"{shard}/{position[0]}-{position[1]}"
        await self.write(name, state)
        names = await self._names(shard)
        if name in names:
            await self._store.delete(names[: names.index(name)])

    async def read(self, name: str) -> bytes | None:
        """Return the object of a name; None if there is none. Raises StoreError."""
        found = await self._store.fetch(name)
        return None if found is None else found[1]

    async def write(self, name: str, state: bytes) -> None:
        """Write, or replace, the object of a name. Raises StoreError."""
        await self._store.replace(name, state)

    async def _names(self, shard: str) -> list[str]:
        """Return the names of a shard's states, the newest last."""
        found = [each.key async for chunk in self._store.list(shard) for each in chunk]
        positions = {name: position for name in found if (position := _position(name))}
        return sorted(positions, key=positions.__getitem__)


def _position(name: str) -> tuple[int, int] | None:
    found = _POSITION.fullmatch(name.rpartition("/")[2])
    return (int(found[1]), int(found[2])) if found else None


def _open(place: str | Path, region_name: str | None) -> Store:
    url = url_of(place)
    is_bucket = url.startswith("s3:")
    try:
        return open_store(url, prefix="", region_name=region_name if is_bucket else None)
    except ConfigurationError as error:
        raise ConfigurationError("state", error.problem, "Use a directory, or s3://bucket/folder.") from error
