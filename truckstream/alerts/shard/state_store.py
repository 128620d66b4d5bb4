"""The states of shards, in a directory or a bucket.

A state is an object `SHARD/POSITION`, where the position is that of the last record in it. The newest one counts. It is
written before the checkpoint, so that it never lacks a record that the checkpoint covers; records that it has already
and that come again are recognised. A worker that was paused, and writes after it has lost its lease, writes an older
position, which nobody reads.
"""

from __future__ import annotations

import asyncio
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import obstore
import obstore.store
from obstore.exceptions import BaseError

from truckstream.batcher.object_store.open_store import open_bucket
from truckstream.errors import ConfigurationError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["AlertStateStore"]

_T = TypeVar("_T")

_POSITION: Final = re.compile(r"(\d{1,129})-(\d{1,10})", re.ASCII)
_HINT: Final = "Use a directory, or s3://bucket/folder."


class AlertStateStore:
    """Keeps one state a shard.

    Args:
        place: a directory, `s3://bucket/folder` or `memory:///`.
        region_name: the region of a bucket.

    Raises:
        ConfigurationError: the place cannot be opened.
    """

    def __init__(self, place: str | Path, *, region_name: str | None = None) -> None:
        try:
            self._store = _open(str(place), region_name)
        except (BaseError, OSError, ValueError) as error:
            raise ConfigurationError("state", f"{str(place)!r} cannot be opened: {error}", _HINT) from error

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
        if old := names[: names.index(name)] if name in names else []:
            await self._call(partial(obstore.delete, self._store, old))

    async def read(self, name: str) -> bytes | None:
        """Return the object of a name; None if there is none. Raises StoreError."""
        return await self._call(partial(self._read, name))

    async def write(self, name: str, state: bytes) -> None:
        """Write, or replace, the object of a name. Raises StoreError."""
        await self._call(partial(obstore.put, self._store, name, state))

    async def _names(self, shard: str) -> list[str]:
        """Return the names of a shard's states, the newest last."""
        names = await self._call(partial(self._list, f"{shard}/"))
        return sorted((name for name in names if _position(name)), key=lambda name: _position(name) or (0, 0))

    def _list(self, prefix: str) -> list[str]:
        return [each["path"] for chunk in obstore.list(self._store, prefix) for each in chunk]

    def _read(self, name: str) -> bytes | None:
        try:
            return bytes(obstore.get(self._store, name).bytes())
        except FileNotFoundError:
            return None

    async def _call(self, call: Callable[[], _T]) -> _T:
        # In a thread: `truckstream/batcher/object_store/threaded_store.py` has the reason.
        try:
            return await asyncio.to_thread(call)
        except (BaseError, OSError) as error:
            raise StoreError(type(error).__name__, f"the state of the alerts: {error}") from error


def _position(name: str) -> tuple[int, int] | None:
    found = _POSITION.fullmatch(name.rpartition("/")[2])
    return (int(found[1]), int(found[2])) if found else None


def _open(place: str, region_name: str | None) -> Any:
    if place.startswith("memory:"):
        return obstore.store.MemoryStore()
    if not place.startswith("s3:"):
        path = place.removeprefix("file://")
        return obstore.store.LocalStore(Path(path).expanduser().absolute(), mkdir=True)
    return open_bucket(place, region_name=region_name)
