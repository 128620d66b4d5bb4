"""Sort rows and write them as one Parquet file, with DuckDB, in bounded memory.

Rows are staged in a table of DuckDB on disk. It sorts them with the memory that it may take, and writes what does not
fit to disk. arro3, which the batcher uses, has no sort, and would hold all rows of a file in memory.

The file is checked before anybody can see it: it is read back, and must have as many rows as were staged and the same
checksum. The checksum is the sum of the rows' hashes, taken from each chunk before it is staged, so that it does not
depend on the order of the rows, and finds rows that are missing, doubled or changed.

Row groups have 122,880 rows, the size in which DuckDB itself works. A query for some trucks skips all others by the
statistics, because the rows are sorted; with larger groups, Athena would skip less.
"""

from __future__ import annotations

import contextlib
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from arro3 import core

from truckstream.batcher.formats.stream_fields import ARRIVAL
from truckstream.errors import ChecksumError, ConfigurationError

try:
    import duckdb
except ImportError as _error:
    raise ConfigurationError(
        "compact", "needs the package duckdb, which is not installed", "pip install 'truckstream[compact]'"
    ) from _error

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

__all__ = ["ParquetFile", "ParquetStage", "read_parquet_file"]

ROW_GROUP_SIZE: Final = 122_880

#: The rows are decoded by one thread of Python, which takes longer than anything here. Each thread of DuckDB takes
#: memory of its own.
_THREADS: Final = 2

#: Prefix of the keys in the footer that are ours.
_NAMESPACE: Final = "truckstream."


class ParquetFile(NamedTuple):
    """A file on this machine, and its facts."""

    path: Path
    size: int
    sha256: str
    records: int
    #: Our texts in the footer.
    footer: dict[str, str]


class ParquetStage:
    """Takes rows in any order, and writes them sorted.

    Args:
        folder: an empty folder for the table, for the rows that do not fit into memory, and for the file.
        schema: the columns.
        memory_limit: the memory that DuckDB may take, such as "1GB".
    """

    def __init__(self, folder: Path, schema: core.Schema, memory_limit: str) -> None:
        self._folder = folder
        self._schema = schema
        self._rows = 0
        self._checksum = 0
        config: dict[str, Any] = {
            "memory_limit": memory_limit,
            "threads": _THREADS,
            "temp_directory": str(folder / "overflow"),
        }
        try:
            self._database = duckdb.connect(folder / "rows.duckdb", config=config)
        except duckdb.Error as error:
            raise ConfigurationError(
                "memory_limit", f"is {memory_limit!r}", f"Set it as in '1GB' ({error})."
            ) from error
        # DuckDB draws a bar on standard output during queries of some seconds, also if that is a file.
        self._run("SET enable_progress_bar = false")
        self._run("CREATE TABLE rows AS SELECT * FROM chunk LIMIT 0", core.Table.from_batches([], schema=schema))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # A thread may be at work if the run was cancelled, and DuckDB refuses to close until it has noticed.
        self._database.interrupt()
        with contextlib.suppress(duckdb.Error):
            self._database.close()

    def add(self, tables: Iterable[core.Table]) -> None:
        """Take the rows of tables with the columns of the schema."""
        chunk = core.Table.from_batches([batch for each in tables for batch in each.to_batches()], schema=self._schema)
        [(rows, checksum)] = self._run(f"{_CHECKSUM} chunk AS t", chunk)
        self._run("INSERT INTO rows SELECT * FROM chunk", chunk)
        self._rows += rows
        self._checksum += checksum or 0

    def write(self, sort_by: Sequence[str], footer: Mapping[str, str]) -> ParquetFile:
        """Write the rows to a file, and check it. `footer` are texts for the file's footer.

        Raises:
            ChecksumError: the file does not hold the rows that were added.
        """
        path = self._folder / "file.parquet"
        order = f"ORDER BY {', '.join(map(_identifier, sort_by))}" if sort_by else ""
        texts = ", ".join(f"{_text(_NAMESPACE + name)}: {_text(value)}" for name, value in footer.items())
        options = f"FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP_SIZE}, KV_METADATA {{{texts}}}"
        self._run(f"COPY (FROM rows {order}) TO {_text(str(path))} ({options})")
        self._check(path)
        return read_parquet_file(path)

    def _check(self, path: Path) -> None:
        # DuckDB reads milliseconds as microseconds, which have another hash.
        milliseconds = f"{ARRIVAL}::TIMESTAMP_MS AS {ARRIVAL}"
        written = f"(FROM read_parquet({_text(str(path))}) SELECT * REPLACE ({milliseconds}))"
        [(rows, checksum)] = self._run(f"{_CHECKSUM} {written} AS t")
        if (rows, checksum or 0) != (self._rows, self._checksum):
            raise ChecksumError(
                f"the compacted file has {rows:,} rows with the checksum {checksum or 0:x}, and its sources have "
                f"{self._rows:,} with {self._checksum:x}. Nothing was stored; run it again, and if this repeats, "
                "check the memory and the disk of this machine"
            )

    def _run(self, sql: str, chunk: core.Table | None = None) -> list[tuple[Any, ...]]:
        if chunk is None:
            return self._database.execute(sql).fetchall()
        self._database.register("chunk", chunk)
        try:
            return self._database.execute(sql).fetchall()
        finally:
            self._database.unregister("chunk")


_CHECKSUM: Final = "SELECT count(*), sum(hash(t)::HUGEINT) FROM"


def read_parquet_file(path: Path) -> ParquetFile:
    """Return the facts of a compacted file.

    Raises:
        ChecksumError: this is no complete Parquet file.
    """
    content = path.read_bytes()
    try:
        with duckdb.connect() as database:
            [(records,)] = database.execute("SELECT num_rows FROM parquet_file_metadata(?)", [str(path)]).fetchall()
            texts = database.execute("SELECT key, value FROM parquet_kv_metadata(?)", [str(path)]).fetchall()
    except duckdb.Error as error:
        raise ChecksumError(f"{path.name} is no complete Parquet file: {error}") from error
    ours = {bytes(key).decode(): bytes(value).decode() for key, value in texts}
    footer = {key.removeprefix(_NAMESPACE): value for key, value in ours.items() if key.startswith(_NAMESPACE)}
    return ParquetFile(path, len(content), sha256(content).hexdigest(), records, footer)


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
