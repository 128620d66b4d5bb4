"""Run a statement so that Ctrl-C ends it, and explain why one failed."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Final, TypeVar

import duckdb

from truckstream.commands.output.console import error_console
from truckstream.commands.stored.query.result import take_result
from truckstream.errors import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.status import Status

    from truckstream.commands.stored.query.result import Output

__all__ = ["execute", "explain"]

_T = TypeVar("_T")

#: Errors of a statement that was not run.
_WRONG_SQL: Final = (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException, duckdb.SyntaxException)

#: The key of an object in DuckDB's message, after a directory or a scheme.
_OBJECT: Final = re.compile(r"(batch|hour)_[-0-9T]+_[a-z0-9]+(\.[a-z]+)+")

#: Seconds between two attempts to interrupt a statement: one that begins in between must be interrupted, too.
_INTERRUPT_SECONDS: Final = 0.05
#: A statement that waits for an object of S3 does not look for interrupts.
_INTERRUPTS: Final = 40
_PROGRESS_SECONDS: Final = 0.2


def execute(tables: duckdb.DuckDBPyConnection, sql: str, output: Output) -> int:
    """Run SQL, print or write the rows or the reason why there are none, and return the exit status.

    Raises:
        KeyboardInterrupt: Ctrl-C interrupted it.
    """

    def work() -> Callable[[], None] | None:
        relation = tables.sql(sql)
        return None if relation is None else take_result(relation, output)

    try:
        with error_console.status("Reading …") as status:
            show = _run_interruptible(tables, work, status)
    except duckdb.Error as error:
        text = explain(str(error))
        error_console.print(f"truckstream: {text}", style="red", highlight=False, soft_wrap=True, markup=False)
        return 2 if isinstance(error, _WRONG_SQL) else 1
    if show is not None:
        show()
    return 0


def _run_interruptible(tables: duckdb.DuckDBPyConnection, work: Callable[[], _T], status: Status) -> _T:
    """Run work of DuckDB, and show its progress. Ctrl-C interrupts it; DuckDB itself does not look for signals."""
    thread = ThreadPoolExecutor(1, thread_name_prefix="truckstream-query")
    future = thread.submit(work)
    try:
        while not wait([future], timeout=_PROGRESS_SECONDS).done:
            percent = tables.query_progress()  # -1 if it is unknown
            status.update(f"Reading … {percent:.0f} %" if percent > 0 else "Reading …")
        return future.result()
    except KeyboardInterrupt:
        for _ in range(_INTERRUPTS):
            tables.interrupt()
            if wait([future], timeout=_INTERRUPT_SECONDS).done:
                break
        raise
    finally:
        thread.shutdown(wait=False)


def explain(message: str) -> str:
    """Return DuckDB's message for people. A message about an object gets a hint how to go on without the object."""
    text = "\n".join(map(printable, message.strip().splitlines()))
    found = _OBJECT.search(message)
    if found is None:
        return text
    condition = f"WHERE object_key NOT LIKE '%{found[0]}'"
    return f"{text}\n`truckstream verify` examines the store. {condition} leaves the object out."
