"""The metadata of a directory's objects, which S3 keeps with the objects: a small file of JSON for each.

    sensor_data/batch_2025-01-15T14-30-25_a1b2c3d4.json
    .truckstream/metadata/sensor_data/batch_2025-01-15T14-30-25_a1b2c3d4.json.metadata

- The files lie outside of the folders of the data, and `*.json` does not match their names, so that no reader of the
  records finds them.
- A file is written after its object exists, and never changed. A process that is killed in between leaves an object
  without metadata. So do earlier versions of the batcher. The batcher then goes by the object's content.
- Like an object, a file is written beside its place first and then linked, so that it is there as a whole or not at
  all.
"""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["MetadataFiles", "metadata_key"]

_FOLDER: Final = ".truckstream/metadata"

_decode: Final = msgspec.json.Decoder(dict[str, str]).decode


def metadata_key(key: str) -> str:
    """Return where the metadata of an object is, relative to the directory."""
    return f"{_FOLDER}/{key}.metadata"


class MetadataFiles:
    """Reads and writes the metadata below one directory."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, key: str) -> dict[str, str]:
        """Return the metadata of an object; empty if it has none."""
        try:
            return _decode((self._root / metadata_key(key)).read_bytes())
        except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError, UnicodeDecodeError):
            return {}

    def write(self, key: str, attributes: Mapping[str, str]) -> None:
        """Write the metadata of an object, unless it has some."""
        path = self._root / metadata_key(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _write_beside(path, msgspec.json.encode(attributes))
        try:
            with suppress(FileExistsError):
                path.hardlink_to(temporary)
        finally:
            temporary.unlink()


def _write_beside(path: Path, content: bytes) -> Path:
    """Write a new file with the name of `path` and an end that obstore gives to unfinished objects."""
    for number in count(1):
        temporary = path.with_name(f"{path.name}#{number}")
        with suppress(FileExistsError):
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            return temporary
    raise AssertionError("unreachable: there is always another number")
