"""A directory as a store, with metadata, and without the temporary files of PUTs that were killed.

obstore writes an object to `batch_….json#1` first (or `#2`, …), and links it to `batch_….json` when it is complete. A
process that is killed in between leaves the temporary file. obstore's listings and patterns such as `*.json` leave it
out, but nobody would ever delete it. Before a PUT, files are removed for which all of this is true:

- **Name**: a name that the batcher gives to objects, "#" and digits. obstore refuses such keys, so it is no object.
- **Folder**: the one that this PUT writes to. The redelivery of a killed call writes to the same folder.
- **Age**: unchanged for an hour. A PUT takes seconds, and the longest call of a function 15 minutes. A PUT that was
  suspended for longer fails then, and its group is delivered again: nothing is lost.

A folder is read once. The younger files in it are remembered, and removed before a later PUT. The same is done for the
files of metadata (`metadata_files.py`).
"""

from __future__ import annotations

import os
import re
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from truckstream.batcher.object_store.directory.metadata_files import MetadataFiles, metadata_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from obstore.store import LocalStore

__all__ = ["ABANDONED_AFTER", "DirectoryStore", "TemporaryFiles"]

#: Seconds.
ABANDONED_AFTER: Final = 3_600.0

#: The ends of the keys of `storing/object_key.py` and of compactions (`data/compaction/manifests/manifest.py`), with
#: the end that obstore adds.
_NAME: Final = re.compile(
    r"(?:batch_\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d_[a-z2-7]+|(?:hour_)?\d{4}-\d\d-\d\dT\d\d_[0-9a-f]+)\.[a-z.]+#\d+"
)


class TemporaryFiles:
    """Finds the temporary files in a directory, and removes those that are abandoned."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folders_read: set[str] = set()
        #: When each file that may be abandoned was last changed, in seconds since the epoch.
        self._found: dict[Path, float] = {}
        self._turn = threading.Lock()

    def remove_abandoned(self, key: str, now: float) -> None:
        """Remove abandoned files from the folder of an object. `now` is in seconds since the epoch."""
        folder = key.rpartition("/")[0]
        with self._turn:
            if folder not in self._folders_read:
                self._folders_read.add(folder)
                self._read(self._root / folder)
            for path, changed in list(self._found.items()):
                if now - changed >= ABANDONED_AFTER:
                    del self._found[path]
                    _remove(path, changed)

    def _read(self, folder: Path) -> None:
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if _NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                    self._found[Path(entry.path)] = entry.stat(follow_symlinks=False).st_mtime


def _remove(path: Path, changed: float) -> None:
    """Remove the file unless it was changed. A file that cannot be removed must not fail a PUT."""
    with suppress(OSError):
        if path.lstat().st_mtime == changed:
            path.unlink()


class DirectoryStore:
    """obstore's store of a directory, with the calls that the batcher makes."""

    def __init__(self, store: LocalStore, root: Path) -> None:
        self._store = store
        self._temporary_files = TemporaryFiles(root)
        self._metadata = MetadataFiles(root)

    def __repr__(self) -> str:
        return repr(self._store)

    def put(self, path: str, file: bytes, *, attributes: Mapping[str, str] | None = None, **options: Any) -> Any:
        for each in (path, metadata_key(path)):
            self._temporary_files.remove_abandoned(each, time.time())
        result = self._store.put(path, file, **options)
        if attributes:
            self._metadata.write(path, attributes)
        return result

    def complete(self, path: str, attributes: Mapping[str, str]) -> None:
        """Write the metadata of an object that has none."""
        self._metadata.write(path, attributes)

    def delete(self, paths: Sequence[str]) -> None:
        """Delete objects that have no metadata: those that `put` stored without attributes."""
        self._store.delete(paths)

    def list(self, prefix: str | None, **options: Any) -> Any:
        return self._store.list(prefix, **options)

    def get_range(self, path: str, **options: Any) -> Any:
        return self._store.get_range(path, **options)

    def get(self, path: str, *, options: Any = None) -> Any:
        found = self._store.get(path, options=options)
        return _FoundObject(found, found.meta, self._metadata.read(path))


class _FoundObject(NamedTuple):
    """A result of obstore's `get`, with the metadata that obstore does not keep."""

    found: Any
    meta: Mapping[str, Any]
    attributes: Mapping[str, str]

    def bytes(self) -> Any:
        return self.found.bytes()
