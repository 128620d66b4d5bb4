"""The third-party packages of the function's zip, with the versions and hashes that requirements.txt holds.

Written down, and not resolved anew for each zip: a new release of a package cannot reach the function unnoticed, and a
file that was exchanged is refused. The head of requirements.txt has the command that renews it.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

__all__ = [
    "REQUIREMENTS",
    "REQUIREMENTS_FILE",
    "compaction_packages",
    "distributions_for",
    "extras_of",
    "pinned_versions",
]

#: All third-party packages that the handler imports; tests/cloud/package compares this with its imports.
REQUIREMENTS: Final = ("msgspec", "obstore")

#: Packages by the import name that needs them, for the modules of a user. typing_extensions is a dependency of obstore
#: that only type checkers load; with it, msgspec would load it too, which takes 12 ms of each cold start.
_BY_IMPORT_NAME: Final = {
    "msgspec": ("msgspec",),
    "obstore": ("obstore",),
    "typing_extensions": ("typing-extensions",),
    "arro3": ("arro3-core", "arro3-io"),
    "backports": ("backports-zstd",),
    "duckdb": ("duckdb",),
}

REQUIREMENTS_FILE: Final = Path(__file__).with_name("requirements.txt")


def distributions_for(import_name: str) -> tuple[str, ...]:
    """Return the packages of the zip that provide a top-level module, none if it would not be in the zip."""
    return _BY_IMPORT_NAME.get(import_name, ())


def extras_of(format_: str, compression: str, python: str) -> tuple[str, ...]:
    """Return the packages that a format and a compression of objects need beside `REQUIREMENTS`."""
    if format_ == "parquet":
        return _BY_IMPORT_NAME["arro3"]
    needs_backport = compression == "zstd" and python in {"3.11", "3.12", "3.13"}  # later ones have it built in
    return _BY_IMPORT_NAME["backports"] if needs_backport else ()


def compaction_packages(python: str) -> tuple[str, ...]:
    """Return the packages that the compaction needs beside `REQUIREMENTS`. It reads all formats and compressions."""
    return (*extras_of("parquet", "none", python), *extras_of("ndjson", "zstd", python), *_BY_IMPORT_NAME["duckdb"])


@cache
def pinned_versions() -> dict[str, str]:
    """Return the versions of requirements.txt by package."""
    return dict(re.findall(r"^([a-z0-9-]+)==([^\s;]+)", REQUIREMENTS_FILE.read_text(encoding="utf-8"), re.MULTILINE))
