"""Where results go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from truckstream.windows.result import WindowResult

__all__ = ["Sink"]


class Sink(Protocol):
    """Writes results. A result may come again, and several shards write at the same time.

    `WindowResult` says what a sink has to keep so that each result counts once.
    """

    async def write(self, results: Sequence[WindowResult]) -> None:
        """Write results. They are durable when this returns; an exception stops the windows, and they come again."""
