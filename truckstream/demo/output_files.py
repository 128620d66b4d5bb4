"""The files that a run writes: reserved before it starts, so that no run fails after the work is done, and saved."""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import tempfile
from importlib.metadata import version
from typing import TYPE_CHECKING

from truckstream.charts import check_output, is_chart_file, write_page
from truckstream.demo.report_page import demo_page
from truckstream.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from truckstream.demo.accounting.report import DemoReport

__all__ = ["reserve_output_files", "save_report"]


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
        str(out).encode()
    except UnicodeEncodeError as error:  # the store's URL would name another directory
        hint = "Choose a directory whose path is valid UTF-8."
        raise ConfigurationError("--out", f"is {str(out)!r}, which is no valid UTF-8", hint) from error
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
    if is_chart_file(path):
        check_output("--report", path)


def save_report(report: DemoReport, path: Path, command: str) -> None:
    """Write the report of a run that `command` started: as charts if the suffix is that of a page or of an image.

    Any other file gets JSON.
    """
    if not is_chart_file(path):
        report.save(path)
        return
    machine = (
        f"truckstream {version('truckstream')}, Python {platform.python_version()}, {platform.platform(terse=True)}"
    )
    write_page(demo_page(report, command=command, machine=f"{machine}, {os.cpu_count()} cores"), path)


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
