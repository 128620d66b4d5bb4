"""Records as Lambda delivers them, a scripted store, and helpers that read stored objects."""

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
from truckstream.envelope import Envelope
from truckstream.kpl import MAGIC, Aggregate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ARN = "arn:aws:kinesis:us-east-1:123456789012:stream/truck-sensor-stream"
SHARD = "shardId-000000000000"
#: The sequence number of record 0, as long as those of the service. Record n has this number plus n.
FIRST = 49590338271490256608559692538361571095921575989136588898
#: 2025-01-15 14:30:25 UTC
ARRIVAL = 1736951425.0


def number(n: int) -> str:
    return str(FIRST + n)


def truck(n: int = 1, **fields: object) -> bytes:
    """Return a truck's report as JSON. `n` makes it unique."""
    return msgspec.json.encode({**SAMPLE, "truck_id": f"TRUCK_{n:03}", **fields})


def record(
    data: bytes,
    n: int = 0,
    *,
    shard: str = SHARD,
    arrival: float | None = None,
    encoded: str | None = None,
    sequence: Any = None,
) -> dict[str, Any]:
    """Return record n of the shard with these bytes, as an event contains it. `sequence` replaces its number."""
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": f"TRUCK_{n:03}",
            "sequenceNumber": number(n) if sequence is None else sequence,
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
    """Return the data of an aggregate of user records: each is its data, or a tuple of its data and keys."""
    made = Aggregate()
    for n, user in enumerate(users):
        data, *keys = user if isinstance(user, tuple) else (user, f"USER_{n:03}")
        made.add(data, *keys)
    return made.encode()


def envelope(*users: bytes | tuple[Any, ...]) -> bytes:
    """Return the data of an envelope of user records, which are given as for `aggregate`."""
    made = Envelope()
    for n, user in enumerate(users):
        data, *keys = user if isinstance(user, tuple) else (user, f"USER_{n:03}")
        assert made.add(data, *keys)
    return made.encode()


def sealed(message: bytes) -> bytes:
    """Return an aggregate with a correct MD5 around any message."""
    return MAGIC + message + md5(message, usedforsecurity=False).digest()


def small(n: int, *, good: bool = True) -> dict[str, Any]:
    """Return a short record n, valid under the schema `Small` if `good`."""
    return record(b'{"n":%d}' % n if good else b'{"m":%d}' % n, n)


class Small(msgspec.Struct, forbid_unknown_fields=True):
    n: int


def trucks(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [record(truck(n), n) for n in range(start, start + count)]


def numbers(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [small(n) for n in range(start, start + count)]


def contents(store: Any, prefix: str | None = None) -> dict[str, bytes]:
    """Return the bytes of every object of an obstore store, by key, without the metadata that a directory keeps."""
    keys = [meta["path"] for page in store.list(prefix=prefix) for meta in page]
    return {key: bytes(store.get(key).bytes()) for key in keys if not key.startswith(".truckstream/")}


def lines(store: Any, prefix: str) -> list[Any]:
    """Return the decoded lines of all objects below a prefix."""
    return [json.loads(line) for body in contents(store, prefix).values() for line in body.splitlines()]


class ScriptedStore:
    """A deterministic store in memory whose requests follow a script.

    `script(verb, key)` is called for each request, with the verb "put", "look" or "read". It returns None; an exception
    to raise instead; an awaitable to wait for first; or "lost", to carry out the request and then lose the response.
    `metadata=False` makes a store that keeps no metadata, like a directory. A put that is cancelled before it took
    effect is kept in `late`, and `land_late` carries it out.
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
            raise OSError("the response was lost")


class _Found:
    def __init__(self, body: bytes, attributes: Mapping[str, str] | None) -> None:
        self.attributes = attributes
        self.meta = {"size": len(body)}
        self._body = body

    async def bytes_async(self) -> bytes:
        return self._body
