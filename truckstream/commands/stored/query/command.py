"""`truckstream query`: ask the stored records in SQL, or a question with a name."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path  # noqa: TC003 - cyclopts reads the annotations
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args

from cyclopts import Parameter

from truckstream.commands.output.console import error_console
from truckstream.commands.output.results import print_text
from truckstream.commands.stored.interruption import end_interrupted
from truckstream.commands.stored.users_code import load_schema
from truckstream.commands.stream.connection import DEFAULT_CONNECTION, StreamConnection
from truckstream.commands.stream.start import parse_times
from truckstream.errors import ConfigurationError, InvalidArgumentError

if TYPE_CHECKING:
    from truckstream.commands.stored.query.result import Output

__all__ = ["query"]

Format = Literal["table", "csv", "json", "parquet"]

#: A word that is a question's name and no SQL.
_NAME: Final = re.compile(r"[\w-]+")


def query(
    question: str | None = None,
    *,
    store: str | None = None,
    connection: StreamConnection = DEFAULT_CONNECTION,
    since: str | None = None,
    until: str | None = None,
    schema: str = "truck",
    prefix: str = "sensor_data",
    rejected_prefix: str = "rejected",
    given_up_store: str | None = None,
    format_: Annotated[Format | None, Parameter(name="--format")] = None,
    output: Path | None = None,
    rows: int = 100,
    list_: Annotated[bool, Parameter(name="--list")] = False,
    athena: bool = False,
    open_: Annotated[bool, Parameter(name="--open")] = False,
) -> int:
    """Ask the stored records in SQL, with DuckDB.

    The tables are records, rejected and given_up, of objects of every format and layout. Each row has the key of its
    object (object_key) and the time when the object's first record arrived (object_arrival, UTC); a filter on them
    reads only the objects that it needs.

    Exit status: 0 for success; 1 if the store is empty or cannot be read, such as for a broken object; 2 if the SQL or
    an option is wrong; 130 after Ctrl-C.

    Example:
        truckstream query "SELECT avg(speed) FROM records" --store s3://bucket
        truckstream query fleet-health --store truckstream-data

    Args:
        question: SQL of DuckDB, or the name of a question that --list lists.
        store: s3://bucket, file:///directory, or the path of a directory. [STORE_URL, or BUCKET_NAME]
        connection: Region and endpoint of the bucket.
        since: Read only objects whose first record arrived from this time on, such as 2026-11-29T08:30 (UTC), or 24h.
        until: Read only objects whose first record arrived before this time.
        schema: Type of the records: truck, none (DuckDB detects the columns), or module:name.
        prefix: Folder of the valid records.
        rejected_prefix: Folder of the rejected records.
        given_up_store: On-failure destination of the event source mapping, if it is another store.
        format_: table, csv, json (an array) or parquet. The default is that of --output, or a table.
        output: Write the rows to this file, such as hot.csv.
        rows: Rows of a table that are printed.
        list_: List the questions that have names.
        athena: Print the SQL for Athena instead of asking.
        open_: Open DuckDB's shell on the tables; without the program `duckdb`, or with S3, a prompt for SQL.
    """
    if list_:
        return _list()
    if athena:
        return _print_for_athena(question)
    sql = None if open_ else _sql(question)
    chosen = _output(format_, output, rows)
    options = {
        **parse_times(datetime.now(UTC), since=since, until=until),
        **({} if schema == "truck" else {"schema": load_schema(schema)}),
        "prefix": prefix,
        "rejected_prefix": rejected_prefix,
        "given_up_store": given_up_store,
        "endpoint_url": connection.endpoint_url,
        "region_name": connection.region,
    }
    where = _store(store, connection)
    try:
        return _open(where, options) if sql is None else _ask(sql, where, options, chosen)
    except KeyboardInterrupt:
        end_interrupted("Interrupted.")


def _ask(sql: str, store: str, options: dict[str, Any], output: Output) -> int:
    from truckstream.commands.stored.query.execution import execute  # noqa: PLC0415 - an optional package
    from truckstream.data.query import open_tables  # noqa: PLC0415
    from truckstream.data.query.options import tables_in  # noqa: PLC0415

    with error_console.status("Listing …"):
        tables = open_tables(store, tables=tables_in(sql), **options)
    status = execute(tables, sql, output)
    tables.close()  # not after Ctrl-C: DuckDB refuses to close a connection that still reads an object
    return status


def _open(store: str, options: dict[str, Any]) -> int:
    from truckstream.commands.stored.query.shell import open_shell  # noqa: PLC0415 - an optional package

    return open_shell(store, options)


# --- Options ----------------------------------------------------------------------------------------


def _sql(question: str | None) -> str:
    from truckstream.data.query.questions import questions  # noqa: PLC0415 - loaded by this command only

    if question is None:
        raise ConfigurationError("question", "is missing", "Pass SQL, or the name of a question; --list lists them.")
    text = question.strip()
    if not _NAME.fullmatch(text):
        return text
    if text not in questions():
        close = get_close_matches(text, questions(), n=1)
        guess = f"Did you mean {close[0]}? " if close else ""
        raise ConfigurationError("question", f"is {text!r}, which is no question with a name", f"{guess}See --list.")
    return questions()[text].sql


def _output(format_: Format | None, path: Path | None, rows: int) -> Output:
    from truckstream.commands.stored.query.result import Output  # noqa: PLC0415 - loaded by this command only

    if rows < 1:
        raise InvalidArgumentError("rows", rows, "must be at least 1")
    files = get_args(Format)[1:]
    if path is None:
        if format_ == "parquet" and sys.stdout.isatty():
            raise InvalidArgumentError("format", format_, "is not for a terminal: pass --output")
        return Output(format_ or "table", None, rows)
    chosen = format_ or path.suffix.removeprefix(".")
    if chosen not in files:
        raise InvalidArgumentError("output", str(path), f"must end with .{', .'.join(files)}, or pass --format with it")
    if not path.absolute().parent.is_dir():
        raise InvalidArgumentError("output", str(path), "must be in a directory that exists")
    return Output(chosen, path, rows)


def _store(store: str | None, connection: StreamConnection) -> str:
    found = connection.store(store)
    if not found:
        raise ConfigurationError("store", "is not set", "Pass --store s3://bucket or a directory, or set BUCKET_NAME.")
    return found


# --- Questions --------------------------------------------------------------------------------------


def _list() -> int:
    from truckstream.data.query.questions import questions  # noqa: PLC0415

    for question in questions().values():
        print_text(f"{question.name}\n    {question.description}")
    return 0


def _print_for_athena(question: str | None) -> int:
    from truckstream.data.query.questions import athena_sql  # noqa: PLC0415

    print_text(athena_sql(_sql(question)))
    return 0
