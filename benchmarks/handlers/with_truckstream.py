"""The function as it is deployed. `encode` is all of its work but the store, which takes objects and drops them."""

import asyncio
import os

from lambda_entry.handler import lambda_handler

__all__ = ["encode", "lambda_handler"]


class Nowhere:
    """A store that keeps the objects of one call in a list."""

    def __init__(self):
        self.bodies = []

    async def put_async(self, _path, file, **_):
        self.bodies.append(file)


def encode(event):
    """The objects of an event."""
    if not held:
        held.extend(_open())
    loop, store, batcher = held
    store.bodies = []
    loop.run_until_complete(batcher.process(event["Records"]))
    return store.bodies


held = []


def _open():
    from truckstream.batcher import Batcher  # noqa: PLC0415 - after the cold start has been measured

    store = Nowhere()
    options = {name: os.environ[name.upper()] for name in ("format", "compression") if name.upper() in os.environ}
    return asyncio.new_event_loop(), store, Batcher(store, **options)
