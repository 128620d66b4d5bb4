"""A stream's client in memory whose requests can be held, for threads."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.producer.shell import Client

if TYPE_CHECKING:
    from collections.abc import Sequence

    from truckstream.kinesis.responses import RecordResponse


class HeldClient(Client):
    """Responds to no request while it is `held`."""

    def __init__(self, shards: int = 1, *, held: bool = True) -> None:
        super().__init__(shards)
        self.held = held
        self.latency = 0.0

    async def put_records(self, records: Sequence[Any]) -> list[RecordResponse]:
        while self.held:  # noqa: ASYNC110 - which another thread changes
            await asyncio.sleep(0.002)
        return await super().put_records(records)
