"""Rows become one sorted Parquet file, which is checked before it counts."""

from __future__ import annotations

from hashlib import sha256

import arro3.io
import duckdb
import msgspec
import pytest
from arro3 import core

from truckstream.data.compaction.files.parquet_file import (
    ROW_GROUP_SIZE,
    ParquetStage,
    read_parquet_file,
)
from truckstream.data.compaction.files.source_rows import SourceRows
from truckstream.errors import ChecksumError, ConfigurationError


class Reading(msgspec.Struct):
    name: str
    n: int
    it_s: float | None = None


def table(*rows):
    lines = b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
    return SourceRows(Reading).read(".json", lines)


def stage(folder, memory_limit="200MB"):
    return ParquetStage(folder, SourceRows(Reading).schema, memory_limit)


def rows_of(path):
    read = arro3.io.read_parquet(path).read_all()
    return list(zip(*(read.column(name).to_pylist() for name in ("name", "n", "it_s")), strict=True))


def test_the_rows_are_sorted(tmp_path):
    with stage(tmp_path) as rows:
        rows.add([table(Reading("b", 2), Reading("a", 3, 0.5)), table(Reading("a", 1))])
        rows.add([table(Reading("b\0\u2028'", 1))])
        file = rows.write(["name", "n"], {})
    assert rows_of(file.path) == [("a", 1, None), ("a", 3, 0.5), ("b", 2, None), ("b\0\u2028'", 1, None)]
    assert file.records == 4


def test_the_facts_of_a_file_are_read_from_it(tmp_path):
    footer = {"plan": "it's", "left_out": '["a"]'}
    with stage(tmp_path) as rows:
        rows.add([table(Reading("a", 1))])
        file = rows.write([], footer)
    assert file.footer == footer
    assert file.sha256 == sha256(file.path.read_bytes()).hexdigest()
    assert read_parquet_file(file.path) == file


def test_columns_have_the_types_of_the_batchers_objects(tmp_path):
    with stage(tmp_path) as rows:
        rows.add([table(Reading("a", 1))])
        file = rows.write([], {})
    written = arro3.io.read_parquet(file.path).schema
    expected = SourceRows(Reading).schema
    assert [written.field(name).type for name in written.names] == [expected.field(n).type for n in expected.names]
    assert written.names == expected.names


def test_large_files_have_several_row_groups_with_statistics(tmp_path):
    """A query for one name skips the groups of the others."""
    with stage(tmp_path) as rows:
        for name in ("c", "a", "b"):
            rows.add([table(*(Reading(name, n) for n in range(60_000)))])
        file = rows.write(["name", "n"], {})
    groups = duckdb.execute(
        "SELECT row_group_num_rows, stats_min_value, stats_max_value, compression FROM parquet_metadata(?) "
        "WHERE path_in_schema = 'name' ORDER BY row_group_id",
        [str(file.path)],
    ).fetchall()
    assert groups == [(ROW_GROUP_SIZE, "a", "c", "ZSTD"), (180_000 - ROW_GROUP_SIZE, "c", "c", "ZSTD")]


@pytest.mark.parametrize(
    "damage", ["DELETE FROM rows WHERE n = 1", "UPDATE rows SET n = 7", "INSERT INTO rows FROM rows"]
)
def test_a_file_that_lost_doubled_or_changed_rows_is_not_returned(tmp_path, damage):
    with stage(tmp_path) as rows:
        rows.add([table(Reading("a", 1), Reading("b", 2))])
        rows._run(damage)
        with pytest.raises(ChecksumError, match="Nothing was stored"):
            rows.write(["name"], {})


def test_rows_that_swapped_values_are_noticed(tmp_path):
    with stage(tmp_path) as rows:
        rows.add([table(Reading("a", 1), Reading("b", 2))])
        rows._run("UPDATE rows SET n = 3 - n")
        with pytest.raises(ChecksumError, match="2 rows"):
            rows.write(["name"], {})


def test_an_incomplete_file_is_no_file(tmp_path):
    with stage(tmp_path) as rows:
        rows.add([table(Reading("a", 1))])
        file = rows.write([], {})
    file.path.write_bytes(file.path.read_bytes()[:-1])
    with pytest.raises(ChecksumError, match="no complete Parquet file"):
        read_parquet_file(file.path)


def test_duckdb_prints_no_progress(tmp_path):
    """It would print into the JSON of the command."""
    with stage(tmp_path) as rows:
        assert rows._run("SELECT current_setting('enable_progress_bar')") == [(False,)]


def test_a_wrong_memory_limit_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match="memory_limit is 'lots'"):
        stage(tmp_path, "lots")


def test_an_empty_chunk_changes_nothing(tmp_path):
    with stage(tmp_path) as rows:
        rows.add([])
        assert rows.write(["name"], {}).records == 0
    assert isinstance(rows._schema, core.Schema)
