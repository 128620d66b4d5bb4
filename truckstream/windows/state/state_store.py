"""Where states are stored: S3 or a directory, through obstore."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from truckstream.batcher.object_store.open_store import open_store, url_of

if TYPE_CHECKING:
    from truckstream.batcher.object_store.store import ObjectStore

__all__ = ["ObjectStateStore", "StateStore"]


class StateStore(Protocol):
    """Keeps bytes by name. Every method raises `StoreError` if the store cannot be reached."""

    async def save(self, name: str, state: bytes) -> None:
        """Store a state as a whole, in place of one with the same name. It is durable when this returns."""

    async def load(self, name: str) -> bytes | None:
        """Return a state; None if there is none."""

    async def names(self, folder: str) -> list[str]:
        """Return the names of the states in a folder and in the folders in it."""

    async def delete(self, names: list[str]) -> None:
        """Delete states. Those that do not exist are deleted already."""


class ObjectStateStore:
    """A `StateStore` in S3 or in a directory.

    Args:
        store: `s3://bucket[/folder]`, `file:///directory`, the path of a directory, `memory:///`, or an obstore store.
        region_name, endpoint_url: of S3; by default the environment's.

    Raises:
        ConfigurationError: the store cannot be opened.
    """

    def __init__(
        self, store: str | Path | ObjectStore, *, region_name: str | None = None, endpoint_url: str | None = None
    ) -> None:
        opened = url_of(store) if isinstance(store, str | Path) else store
        self._store = open_store(opened, prefix="", region_name=region_name, endpoint_url=endpoint_url)

    def __repr__(self) -> str:
        return f"<ObjectStateStore {self._store!r}>"

    async def save(self, name: str, state: bytes) -> None:
        """Store a state, in place of one with the same name."""
        await self._store.replace(name, state)

    async def load(self, name: str) -> bytes | None:
        """Return a state; None if there is none."""
        found = await self._store.fetch(name)
        return None if found is None else found[1]

    async def names(self, folder: str) -> list[str]:
        """Return the names of the states in a folder and in the folders in it."""
        return [each.key async for chunk in self._store.list(folder) for each in chunk]

    async def delete(self, names: list[str]) -> None:
        """Delete states."""
        await self._store.delete(names)
