"""Store one object, or find that it is stored already.

Create the object. If the key exists, look the existing object up. If that object is ours, it counts as stored. If there
is no object after all (S3's 409), create it again. If it belongs to another group, use another key.

So the function reads only objects that it has just found to exist, and needs no more than s3:PutObject and
s3:GetObject. (Without s3:ListBucket S3 returns 403 for an object that does not exist. That happens only after a 409 or
a failure, and then Lambda delivers the group again.)
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final, NamedTuple

from truckstream.batcher.result import Receipt
from truckstream.batcher.storing.object_metadata import ObjectMetadata, ObjectProof
from truckstream.batcher.storing.redelivery import (
    Coverage,
    coverage_beyond_event,
    coverage_by_content,
    coverage_by_metadata,
)
from truckstream.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from truckstream.batcher.grouping.lines import Lines
    from truckstream.batcher.object_store.store import Store, StoredObject
    from truckstream.batcher.result import Outcome
    from truckstream.batcher.storing.object_key import KeyScheme

__all__ = ["ObjectWriter", "WrittenObject"]

_logger = logging.getLogger("truckstream.batcher")

#: Attempts to create an object whose key does not exist and which is not stored either. A 409 lasts as long as the
#: other request, and each lookup between two attempts takes a round trip.
ATTEMPTS: Final = 5


class WrittenObject(NamedTuple):
    """An object that is stored now, by this call or by an earlier one."""

    coverage: Coverage
    receipt: Receipt
    #: True if the object has no metadata: then its group may end later than `coverage` shows.
    end_is_guessed: bool = False


class ObjectWriter:
    """Stores objects of an event's valid records, or objects of its rejected records.

    Args:
        store: the object store.
        lines: the lines of the event's valid records, or of its rejected ones.
        keys: makes the objects' keys.
        on_put: called with the seconds that each PUT took.
    """

    def __init__(self, store: Store, lines: Lines, keys: KeyScheme, on_put: Callable[[float], None]) -> None:
        self.lines = lines
        self._store = store
        self._keys = keys
        self._on_put = on_put

    async def write(self, start: int, stop: int) -> WrittenObject:
        """Store the lines between two indices.

        Raises:
            StoreError: they are not stored.
        """
        body, proof = await self._encode(start, stop)
        metadata = ObjectMetadata.of(self.lines, start, stop)
        attributes = self._attributes(metadata, proof)
        for key in self._keys.keys(self.lines, start, metadata):
            written = await self._write_to(key, start, stop, body, attributes)
            if written is not None:
                return written
            _logger.warning("%s holds other records than this batcher's: using another key", key)
        raise StoreError("KeyCollision", f"every key for the group from {metadata.first} holds other records")

    async def complete(self, start: int, stop: int, key: str | None = None) -> None:
        """Give an object the metadata that its writer could not add: it holds the lines between two indices.

        `key` is the object's; by default the first one that is tried.
        A failure does no harm: the object is recognised by its content again.

        The proof is that of the stored bytes: another version may have compressed the same lines to others.
        """
        if not self._store.completes_metadata:
            return
        metadata = ObjectMetadata.of(self.lines, start, stop)
        key = key or self._keys.key(self.lines, start)
        try:
            proof = ObjectProof.of(self.lines, start, stop, await self._store.read(key))
            await self._store.complete(key, self._attributes(metadata, proof))
        except StoreError as error:
            _logger.debug("%s stays without metadata: %s", key, error)

    async def find(self, start: int, stop: int) -> Coverage | None:
        """Return which records the object that begins at `start` holds; None if there is none of ours."""
        key = self._keys.key(self.lines, start)
        stored = await self._store.look(key)
        return stored and await self._coverage(key, start, stop, stored)

    async def key_is_free(self, start: int) -> bool:
        """True if it is known that no object begins at `start`."""
        try:
            return await self._store.look(self._keys.key(self.lines, start)) is None
        except StoreError:
            return False

    async def _encode(self, start: int, stop: int) -> tuple[bytes, ObjectProof]:
        """Encode the object, and prove it. Compression releases Python's lock: in a thread, other PUTs go on."""
        if self.lines.format.slow:
            return await asyncio.to_thread(_encode, self.lines, start, stop)
        return _encode(self.lines, start, stop)

    async def _write_to(
        self, key: str, start: int, stop: int, body: bytes, attributes: Mapping[str, str]
    ) -> WrittenObject | None:
        """Store the object under this key; None if another group's object is there."""
        for _ in range(ATTEMPTS):
            if await self._create(key, body, attributes):
                return WrittenObject(Coverage(stop), self._receipt(key, start, stop, len(body), "created"))
            stored = await self._store.look(key)
            if stored is not None:
                return await self._recognise(key, start, stop, stored)
        raise StoreError(
            "Conflict", f"{key}: each of {ATTEMPTS} attempts conflicted with another, and nothing is there"
        )

    async def _create(self, key: str, body: bytes, attributes: Mapping[str, str]) -> bool:
        clock = asyncio.get_running_loop().time
        started = clock()
        created = await self._store.create(key, body, attributes)
        self._on_put(clock() - started)
        return created

    async def _recognise(self, key: str, start: int, stop: int, stored: StoredObject) -> WrittenObject | None:
        """Return the existing object if an earlier delivery stored it; None if it is another group's."""
        coverage = await self._coverage(key, start, stop, stored)
        if coverage is None:
            return None
        outcome: Outcome = "already there" if coverage == Coverage(stop) else "adopted"
        receipt = self._receipt(key, start, coverage.stop, stored.size, outcome)
        return WrittenObject(coverage, receipt, end_is_guessed=ObjectMetadata.read(stored.metadata) is None)

    async def _coverage(self, key: str, start: int, stop: int, stored: StoredObject) -> Coverage | None:
        metadata = ObjectMetadata.read(stored.metadata)
        if metadata is None:
            return coverage_by_content(self.lines, start, stop, await self._store.read(key))
        coverage = coverage_by_metadata(self.lines, start, metadata)
        if coverage != "read the content":
            return coverage
        return coverage_beyond_event(self.lines, start, await self._store.read(key))

    def _attributes(self, metadata: ObjectMetadata, proof: ObjectProof) -> dict[str, str]:
        return self.lines.format.headers | metadata.attributes() | proof.attributes()

    def _receipt(self, key: str, start: int, stop: int, size: int, outcome: Outcome) -> Receipt:
        return Receipt(
            key=key,
            records=self.lines.count(start, stop),
            bytes=size,
            first_sequence_number=self.lines.sequences[start],
            last_sequence_number=self.lines.sequences[stop - 1],
            outcome=outcome,
        )


def _encode(lines: Lines, start: int, stop: int) -> tuple[bytes, ObjectProof]:
    body = lines.encode(start, stop)
    return body, ObjectProof.of(lines, start, stop, body)
