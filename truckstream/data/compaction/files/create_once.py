"""Create an object unless it exists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from truckstream.errors import StoreError

if TYPE_CHECKING:
    from truckstream.batcher.object_store.store import Store

__all__ = ["create_once"]

#: A 409 of S3 means that another request for the key was under way, and that nothing was stored by this one.
ATTEMPTS: Final = 5


async def create_once(store: Store, key: str, body: bytes, content_type: str) -> bool:
    """Create the object; return False if one is there already. Existing objects are never replaced.

    Raises:
        StoreError: the object is not stored, or it is unknown whether it is.
    """
    for _ in range(ATTEMPTS):
        if await store.create(key, body, {"Content-Type": content_type}):
            return True
        if await store.look(key) is not None:
            return False
    raise StoreError("Conflict", f"{key}: each of {ATTEMPTS} attempts conflicted with another, and nothing is there")
