"""The files of the page, which are parts of the package."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

__all__ = ["Asset", "read_assets"]

_TYPES: Final = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}


class Asset(NamedTuple):
    """A file of the page."""

    content: bytes
    type: str


def read_assets() -> dict[str, Asset]:
    """Return the files of the page by their paths, such as "vendor/uplot.js". No other path is ever opened."""
    return dict(_read(files("truckstream.dashboard") / "static", ""))


def _read(folder: Traversable, prefix: str) -> Iterator[tuple[str, Asset]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _read(entry, f"{prefix}{entry.name}/")
        elif kind := _TYPES.get(f".{entry.name.rpartition('.')[2]}"):
            yield f"{prefix}{entry.name}", Asset(entry.read_bytes(), kind)
