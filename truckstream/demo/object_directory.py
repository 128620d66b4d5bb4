"""The directory that stands in for the bucket: which objects a run made, and every record in them."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING, Final

import msgspec

from truckstream.demo.ledger import StoredLine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["PREFIX", "REJECTED_PREFIX", "Bucket"]

PREFIX: Final = "sensor_data"
REJECTED_PREFIX: Final = "rejected"


class _RejectedLine(msgspec.Struct):
    reason: str
    data: str | None = None
    data_base64: str | None = None

    def to_bytes(self) -> bytes:
        return base64.b64decode(self.data_base64) if self.data_base64 is not None else (self.data or "").encode()


class Bucket:
    """The objects that appear below `root` from now on. What earlier runs left there is not looked at."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._earlier = {path for prefix in (PREFIX, REJECTED_PREFIX) for path in _files(root / prefix)}
        self._seen: set[str] = set()

    def new_objects(self) -> list[Path]:
        """The objects of valid records that appeared since the last call."""
        paths = [path for path in self._objects(PREFIX) if path.name not in self._seen]
        self._seen.update(path.name for path in paths)
        return paths

    def sizes(self) -> list[int]:
        """The number of records in each object of valid records."""
        return [path.read_bytes().count(b"\n") for path in self._objects(PREFIX)]

    def newest(self) -> Path | None:
        return max(self._objects(PREFIX), key=lambda path: path.stat().st_mtime, default=None)

    def read(self) -> Iterator[StoredLine]:
        """Every record of every object."""
        for path in self._objects(PREFIX):
            stored_at = path.stat().st_mtime
            for line in path.read_bytes().splitlines():
                yield StoredLine(line, stored_at)
        rejected = msgspec.json.Decoder(_RejectedLine)
        for path in self._objects(REJECTED_PREFIX):
            stored_at = path.stat().st_mtime
            for refused in rejected.decode_lines(path.read_bytes()):
                yield StoredLine(refused.to_bytes(), stored_at, refused.reason)

    def _objects(self, prefix: str) -> list[Path]:
        return [path for path in _files(self.root / prefix) if path not in self._earlier]


def _files(folder: Path) -> list[Path]:
    # A name with "#" is an object that is being written: it gets its own name when it is whole.
    return [
        folder.__class__(where) / name
        for where, _, names in os.walk(folder)
        for name in names
        if name.endswith(".json")
    ]
