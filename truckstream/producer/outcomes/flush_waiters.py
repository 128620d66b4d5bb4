"""Callers that wait for a flush."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FlushWaiters"]


class FlushWaiters:
    """Callers that wait until every record of an epoch has its outcome."""

    __slots__ = ("_epochs",)

    def __init__(self) -> None:
        self._epochs: dict[asyncio.Future[None], int] = {}

    async def wait(self, epoch: int) -> None:
        """Wait until `wake` finds that `epoch` is flushed."""
        flushed = asyncio.get_running_loop().create_future()
        self._epochs[flushed] = epoch
        try:
            await flushed
        finally:
            del self._epochs[flushed]

    def wake(self, is_flushed: Callable[[int], bool]) -> None:
        """Wake the callers whose epoch is flushed."""
        for flushed, epoch in self._epochs.items():
            if not flushed.done() and is_flushed(epoch):
                flushed.set_result(None)
