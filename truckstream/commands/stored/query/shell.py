"""A shell on the tables: DuckDB's own for a directory, and a prompt of this process for other stores.

DuckDB's program cannot read S3 with the store's credentials unless it downloads an extension.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from truckstream.commands.output.console import console, error_console
from truckstream.commands.stored.query.execution import execute
from truckstream.commands.stored.query.result import Output
from truckstream.data.query import open_tables, table_script

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

__all__ = ["open_shell"]

_GREETING: Final = (
    "The tables are records, rejected and given_up. End a statement with a semicolon; Ctrl-C ends a query, and Ctrl-D "
    "the prompt."
)

_TABLE: Final = Output("table", None, 40)


def open_shell(store: str, options: dict[str, Any]) -> int:
    """Open a shell on the tables of a store, and return its exit status."""
    program = shutil.which("duckdb")
    if program is not None:
        with error_console.status("Listing …"):
            script = table_script(store, **options)
        if script is not None:
            return _run_duckdb(program, script)
    with error_console.status("Listing …"):
        tables = open_tables(store, **options)
    with tables:
        return _prompt(tables)


def _run_duckdb(program: str, script: str) -> int:
    with tempfile.TemporaryDirectory(prefix="truckstream-") as folder:
        path = Path(folder, "tables.sql")
        path.write_text(script, encoding="utf-8")
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the shell
        try:
            return subprocess.run([program, "-cmd", f".read '{path}'"], check=False).returncode  # noqa: S603
        finally:
            signal.signal(signal.SIGINT, handler)


def _prompt(tables: duckdb.DuckDBPyConnection) -> int:
    is_terminal = sys.stdin.isatty()
    if is_terminal:
        console.print(_GREETING, highlight=False)
    status = 0
    with _history(keep=is_terminal):
        for statement in _statements(prompts=("D ", ". ") if is_terminal else ("", "")):
            try:
                status = execute(tables, statement, _TABLE)
            except KeyboardInterrupt:
                error_console.print("Interrupted.", style="red")
    return 0 if is_terminal else status


def _statements(prompts: tuple[str, str]) -> Iterator[str]:
    """Yield statements as they are entered, until the end of the input."""
    lines: list[str] = []
    while True:
        try:
            lines.append(input(prompts[bool(lines)]))
        except KeyboardInterrupt:
            lines.clear()
            console.print()
            continue
        except EOFError:
            if "".join(lines).strip():
                yield "\n".join(lines)
            return
        if lines[-1].rstrip().endswith(";"):
            yield "\n".join(lines)
            lines.clear()


@contextlib.contextmanager
def _history(*, keep: bool) -> Iterator[None]:
    """Let the user edit lines, and keep them for the next time."""
    if not keep or find_spec("readline") is None:  # Windows has none
        yield
        return
    import readline  # noqa: PLC0415 - see above

    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    path = cache / "truckstream" / "query_history"
    with contextlib.suppress(OSError):
        readline.read_history_file(path)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            readline.write_history_file(path)
