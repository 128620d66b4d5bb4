"""Reserve the files that a run writes, so that it fails before it starts and not after the work is done."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from typing import TYPE_CHECKING

from truckstream.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["reserve_output_files"]


@contextlib.contextmanager
def reserve_output_files(out: Path, report_file: Path | None) -> Iterator[None]:
    """Create the directory `out` and lock it, and check that it and the report file can be written.

    Raises:
        ConfigurationError: one of them cannot be written, or another demo is running in the directory.
    """
    _create_directory(out)
    if report_file:
        _check_report_file(report_file)
    with _locked(out):
        yield


def _create_directory(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
    except OSError as error:
        hint = "Choose a directory that you can write to."
        raise ConfigurationError("--out", f"cannot be written to ({error})", hint) from error


def _check_report_file(path: Path) -> None:
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        hint = "Choose a file that you can write to."
        raise ConfigurationError("--report", f"is {str(path)!r}, which cannot be written to", hint)


@contextlib.contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Keep other demos out of the directory: each would count the other's objects."""
    descriptor = os.open(out, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            hint = "Wait for it to end, or choose another directory with --out."
            raise ConfigurationError("--out", f"is {str(out)!r}, where another demo is running", hint) from error
        yield
    finally:
        os.close(descriptor)
