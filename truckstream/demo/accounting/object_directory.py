"""Read the objects that the function stored in a directory, which takes the place of the bucket."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from truckstream.demo.accounting.record_tracker import ObjectRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PREFIX", "REJECTED_PREFIX", "ObjectDirectory"]

PREFIX: Final = "sensor_data"
REJECTED_PREFIX: Final = "rejected"


class _RejectedLine(msgspec.Struct):
    reason: str
    data: str | None = None
    data_base64: str | None = None

    def to_bytes(self) -> bytes:
        return base64.b64decode(self.data_base64) if self.data_base64 is not None else (self.data or "").encode()


class ObjectDirectory:
    """The objects that are created below `root` from now on; those of earlier runs are ignored."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._earlier = {path for prefix in (PREFIX, REJECTED_PREFIX) for path in _files(root / prefix)}
        self._returned: set[str] = set()

    def new_objects(self) -> list[Path]:
        """Return the objects of valid records that were created since the last call."""
        paths = [path for path in self._objects(PREFIX) if path.name not in self._returned]
        self._returned.update(path.name for path in paths)
        return paths

    def sizes(self) -> list[int]:
        """Return the number of records in each object of valid records."""
        return [path.read_bytes().count(b"\n") for path in self._objects(PREFIX)]

    def records(self) -> Iterator[ObjectRecord]:
        """Yield every record of every object, the rejected ones included."""
        for path in self._objects(PREFIX):
            stored_at = path.stat().st_mtime
            for line in path.read_bytes().splitlines():
                yield ObjectRecord(line, stored_at)
        decoder = msgspec.json.Decoder(_RejectedLine)
        for path in self._objects(REJECTED_PREFIX):
            stored_at = path.stat().st_mtime
            for rejected in decoder.decode_lines(path.read_bytes()):
                yield ObjectRecord(rejected.to_bytes(), stored_at, rejected.reason)

    def _objects(self, prefix: str) -> list[Path]:
        return [path for path in _files(self.root / prefix) if path not in self._earlier]


def _files(folder: Path) -> list[Path]:
    # A name with "#" is an object that is still being written; it gets its final name when it is complete.
    return [Path(parent) / name for parent, _, names in os.walk(folder) for name in names if name.endswith(".json")]
