"""The states of one shard in their store: which one to begin with, and which ones to delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from truckstream.errors import WindowStateError
from truckstream.windows.state.names import END, covers
from truckstream.windows.state.shard_state import hash_range_of

if TYPE_CHECKING:
    from truckstream.consumer import AssignedShard, Checkpoint
    from truckstream.windows.shard_windows import ShardWindows
    from truckstream.windows.state.names import StateNames
    from truckstream.windows.state.resharding import HashRange
    from truckstream.windows.state.state_store import StateStore

__all__ = ["ShardStates"]


class ShardStates:
    """The states of one shard while this worker has its lease."""

    def __init__(self, shard: AssignedShard, store: StateStore, names: StateNames) -> None:
        self._shard = shard
        self._store = store
        self._names = names
        #: The checkpoints whose states may exist, the one in the lease table included; None if they are not listed yet.
        self._last: Checkpoint | None = None
        self._may_exist: set[str] | None = None
        #: The ranges of the parents whose states this shard has begun with.
        self._parents: dict[str, HashRange | None] = {}

    async def restore(self, windows: ShardWindows, now: float) -> None:
        """Go on from the state of the shard's checkpoint, or from those of its parents.

        Raises:
            WindowStateError: there is none, or it cannot be used.
            StoreError: the store cannot be read.
        """
        if self._shard.start.sequence_number.isdecimal():
            windows.restore(await self._load(self._names.state(self._shard.start)), now)
            return
        parents = sorted(self._shard.parent_ids)
        states = [await self._load(self._names.of_parent(parent).state(END)) for parent in parents]
        windows.inherit(states, now)
        self._parents = {parent: hash_range_of(state) for parent, state in zip(parents, states, strict=True)}

    async def save(self, checkpoint: Checkpoint, state: bytes) -> None:
        """Store the state that goes with a checkpoint, before the checkpoint is written."""
        name = self._names.state(checkpoint)
        if self._may_exist is None:
            self._may_exist = set(await self._store.names(self._names.folder))
        await self._store.save(name, state)
        self._last = checkpoint
        self._may_exist.add(name)

    async def save_end(self, state: bytes) -> None:
        """Store the last state of the shard, before SHARD_END is written."""
        await self.save(END, state)
        await self._release_parents()

    async def clean_up(self) -> None:
        """Delete the states that nobody needs, now that the last checkpoint is written."""
        if self._last is not None and self._may_exist is not None:
            older = self._names.older(self._may_exist, self._last)
            await self._store.delete(older)
            self._may_exist.difference_update(older)
        await self._release_parents()

    async def _release_parents(self) -> None:
        """Mark that this shard does not need its parents' states any more. The last child deletes them."""
        for parent, parent_range in list(self._parents.items()):
            names = self._names.of_parent(parent)
            await self._store.save(names.inherited_by(self._shard.hash_range), b"")
            marks = await self._store.names(names.inherited_folder)
            if covers(marks, parent_range):
                await self._store.delete([*await self._store.names(names.folder)])
            del self._parents[parent]

    async def _load(self, name: str) -> bytes:
        state = await self._store.load(name)
        if state is None:
            raise WindowStateError(
                f"{name} does not exist in {self._store!r}",
                "Use the store that the application used before, or choose another application, which begins anew.",
            )
        return state
