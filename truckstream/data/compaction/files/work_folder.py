"""The folders in which files are made before they are stored.

A process that is killed leaves its folder. Nobody reads it, and a later run removes it.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ABANDONED_AFTER", "work_folder"]

_PREFIX: Final = "truckstream-compact-"

#: Seconds without a change of any file. DuckDB writes every few seconds to the folder of a run that is alive.
ABANDONED_AFTER: Final = 24 * 3_600.0


@contextmanager
def work_folder() -> Iterator[Path]:
    """Make a folder for the time of the context, where `tempfile` makes its own. Remove abandoned ones."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        if time.time() - _last_change(path) > ABANDONED_AFTER:
            shutil.rmtree(path, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _last_change(folder: Path) -> float:
    try:
        return max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))
    except OSError:  # another run removes it, or it belongs to another user
        return time.time()
