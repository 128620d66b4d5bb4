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
    "required_packages",
]

#: All third-party packages that the handler imports; tests/cloud/package compares this with its imports. It imports
#: backports-zstd with the first envelope, and Python 3.14 has that built in.
REQUIREMENTS: Final = ("backports-zstd", "msgspec", "obstore")

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


def required_packages(python: str) -> tuple[str, ...]:
    """Return those of `REQUIREMENTS` that the handler needs on a version of Python."""
    backports = () if python in {"3.11", "3.12", "3.13"} else _BY_IMPORT_NAME["backports"]
    return tuple(name for name in REQUIREMENTS if name not in backports)


def extras_of(format_: str) -> tuple[str, ...]:
    """Return the packages that a format of objects needs beside `REQUIREMENTS`."""
    return _BY_IMPORT_NAME["arro3"] if format_ == "parquet" else ()


def compaction_packages() -> tuple[str, ...]:
    """Return the packages that the compaction needs beside `REQUIREMENTS`. It reads all formats."""
    return (*extras_of("parquet"), *_BY_IMPORT_NAME["duckdb"])


@cache
def pinned_versions() -> dict[str, str]:
    """Return the versions of requirements.txt by package."""
    return dict(re.findall(r"^([a-z0-9-]+)==([^\s;]+)", REQUIREMENTS_FILE.read_text(encoding="utf-8"), re.MULTILINE))
