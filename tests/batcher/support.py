"""Records as Lambda delivers them, stores with a script, and the oracle that reads a store back."""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
from hashlib import md5
from typing import TYPE_CHECKING, Any

import msgspec
from obstore.exceptions import AlreadyExistsError

from tests.sample_record import SAMPLE
from truckstream.kpl import MAGIC, Aggregate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ARN = "arn:aws:kinesis:us-east-1:123456789012:stream/truck-sensor-stream"
SHARD = "shardId-000000000000"
#: A sequence number of the service's shape; record n of a test has this plus n.
FIRST = 49590338271490256608559692538361571095921575989136588898
#: 2025-01-15 14:30:25 UTC
ARRIVAL = 1736951425.0


def number(n: int) -> str:
    return str(FIRST + n)


def truck(n: int = 1, **fields: object) -> bytes:
    """A truck's report as JSON; `n` makes it one of its kind."""
    return msgspec.json.encode({**SAMPLE, "truck_id": f"TRUCK_{n:03}", **fields})


def record(
    data: bytes, n: int = 0, *, shard: str = SHARD, arrival: float | None = None, encoded: str | None = None
) -> dict[str, Any]:
    """Record n of the shard with these bytes, as it stands in an event."""
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": f"TRUCK_{n:03}",
            "sequenceNumber": number(n),
            "data": base64.b64encode(data).decode() if encoded is None else encoded,
            "approximateArrivalTimestamp": ARRIVAL + n / 1000 if arrival is None else arrival,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard}:{number(n)}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::123456789012:role/truckstream",
        "awsRegion": "us-east-1",
        "eventSourceARN": ARN,
    }


def aggregate(*users: bytes | tuple[Any, ...]) -> bytes:
    """The data of an aggregate of these; each is data, or data with its keys."""
    made = Aggregate()
    for n, user in enumerate(users):
        data, *keys = user if isinstance(user, tuple) else (user, f"USER_{n:03}")
        made.add(data, *keys)
    return made.encode()


def sealed(message: bytes) -> bytes:
    """An aggregate with a right MD5, whatever it holds."""
    return MAGIC + message + md5(message, usedforsecurity=False).digest()


def small(n: int, *, good: bool = True) -> dict[str, Any]:
    """Record n for tests that need many: with the schema `Small`."""
    return record(b'{"n":%d}' % n if good else b'{"m":%d}' % n, n)


class Small(msgspec.Struct, forbid_unknown_fields=True):
    n: int


def trucks(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [record(truck(n), n) for n in range(start, start + count)]


def numbers(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [small(n) for n in range(start, start + count)]


def contents(store: Any, prefix: str | None = None) -> dict[str, bytes]:
    """Every object of an obstore store: key to bytes."""
    pages = store.list(prefix=prefix)
    return {meta["path"]: bytes(store.get(meta["path"]).bytes()) for page in pages for meta in page}


def lines(store: Any, prefix: str) -> list[Any]:
    """Every line of every object below a prefix, decoded."""
    return [json.loads(line) for body in contents(store, prefix).values() for line in body.splitlines()]


class ScriptedStore:
    """A store in memory, deterministic, that does what its script says.

    `script(verb, key)`, with the verb "put", "look" or "read", returns None; an exception, which is raised instead;
    an awaitable, to wait for first; or "lost", to do it and then lose the answer. `metadata=False` makes it as poor
    as a directory. A put that is cancelled before it took effect goes to `late`: `land_late` lets it happen.
    """

    def __init__(self, script: Callable[[str, str], Any] | None = None, *, metadata: bool = True) -> None:
        self.objects = {}
        self.script = script or (lambda *_: None)
        self.metadata = metadata
        self.calls = []
        self.late = []
        self.in_flight = self.most_in_flight = 0

    async def put_async(
        self, path: str, file: Any, *, mode: str | None = None, attributes: Mapping[str, str] | None = None
    ) -> None:
        assert mode == "create"
        if attributes and not self.metadata:
            raise NotImplementedError("attributes")
        try:
            act = await self._begin("put", path)
        except asyncio.CancelledError:
            self.late.append((path, file, attributes))
            raise
        if path in self.objects:
            raise AlreadyExistsError(path)
        self.objects[path] = (bytes(file), dict(attributes or {}))
        await self._end(act)

    async def get_async(self, path: str, *, options: object = None) -> _Found:
        act = await self._begin("look" if options else "read", path)
        if path not in self.objects:
            raise FileNotFoundError(path)
        body, attributes = self.objects[path]
        await self._end(act)
        return _Found(body, attributes)

    def land_late(self) -> None:
        for path, body, attributes in self.late:
            self.objects.setdefault(path, (bytes(body), dict(attributes or {})))
        self.late.clear()

    def puts(self) -> list[str]:
        return [path for verb, path in self.calls if verb == "put"]

    def lines(self, prefix: str) -> list[Any]:
        found = [body for path, (body, _) in sorted(self.objects.items()) if path.startswith(prefix + "/")]
        return [json.loads(line) for body in found for line in body.splitlines()]

    async def _begin(self, verb: str, path: str) -> object:
        self.calls.append((verb, path))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            act = self.script(verb, path)
            if inspect.isawaitable(act):
                act = await act
            await asyncio.sleep(0)
        finally:
            self.in_flight -= 1
        if isinstance(act, BaseException):
            raise act
        return act

    async def _end(self, act: object) -> None:
        await asyncio.sleep(0)
        if act == "lost":
            raise OSError("the answer got lost")


class _Found:
    def __init__(self, body: bytes, attributes: Mapping[str, str] | None) -> None:
        self.attributes = attributes
        self.meta = {"size": len(body)}
        self._body = body

    async def bytes_async(self) -> bytes:
        return self._body
