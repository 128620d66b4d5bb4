"""Commits to an Iceberg table: each file once, also by committers that know nothing of each other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import msgspec
import obstore.store
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import CommitFailedException, CommitStateUnknownException

from tests.data.compaction.support import fill
from truckstream import TruckRecord, compact
from truckstream.data.compaction.files.source_rows import SourceRows
from truckstream.data.compaction.iceberg.iceberg_table import PROPERTY, IcebergTable, open_table
from truckstream.errors import ConfigurationError, IcebergError

SCHEMA = SourceRows(TruckRecord).schema
NAME = "lake.trucks"


def open_catalog(path):
    return SqlCatalog("test", uri=f"sqlite:///{path}/catalog.db", warehouse=path.as_uri())


@pytest.fixture
def catalog(tmp_path):
    with open_catalog(tmp_path) as catalog:
        yield catalog


@pytest.fixture
async def files(tmp_path):
    """The URLs and keys of two compacted files of 12 records each."""
    (tmp_path / "store").mkdir()
    await fill(obstore.store.LocalStore(tmp_path / "store"), hours=2)
    report = await compact(tmp_path / "store")
    return [(f"file://{tmp_path}/store/{each.key}", each.key) for each in report.files]


def rows(catalog):
    return catalog.load_table(NAME).scan().to_arrow().num_rows


def test_files_are_added_once(catalog, files):
    table = open_table(NAME, catalog, SCHEMA)
    assert [table.add(*file) for file in (*files, *files)] == [True, True, False, False]
    assert rows(catalog) == 24
    [snapshot, _] = catalog.load_table(NAME).metadata.snapshots
    assert snapshot.summary[PROPERTY] == files[0][1]


def test_the_columns_of_a_new_table_are_those_of_the_files(catalog, files):
    open_table(NAME, catalog, SCHEMA).add(*files[0])
    read = catalog.load_table(NAME).scan().to_arrow()
    assert read.column_names == SCHEMA.names
    assert len(set(read["truck_id"].to_pylist())) == 3


def test_pyiceberg_alone_lets_two_stale_committers_both_win(tmp_path, catalog, files):
    """The reason for a loop of our own. If this fails, pyiceberg was repaired, and the loop could become simpler."""
    open_table(NAME, catalog, SCHEMA)
    stale = [open_catalog(tmp_path).load_table(NAME) for _ in range(2)]
    for table in stale:
        table.add_files([files[0][0]])
    assert rows(catalog) == 24, "12 records, twice"


class LateCatalog:
    """A catalog whose first table is old: another committer has committed since it was loaded."""

    def __init__(self, catalog, other):
        self.catalog, self.other = catalog, [other]

    def load_table(self, name):
        table = self.catalog.load_table(name)
        if self.other:
            self.other.pop()()
        return table


def test_of_two_stale_committers_one_adds_the_file(tmp_path, catalog, files):
    uuid = open_table(NAME, catalog, SCHEMA).uuid
    other = IcebergTable(open_catalog(tmp_path), NAME, uuid)
    late = LateCatalog(catalog, lambda: other.add(*files[0]))
    assert not IcebergTable(late, NAME, uuid, sleep=lambda _: None).add(*files[0])
    assert rows(catalog) == 12


def test_a_commit_of_another_file_is_no_obstacle(tmp_path, catalog, files):
    uuid = open_table(NAME, catalog, SCHEMA).uuid
    other = IcebergTable(open_catalog(tmp_path), NAME, uuid)
    late = LateCatalog(catalog, lambda: other.add(*files[1]))
    assert IcebergTable(late, NAME, uuid, sleep=lambda _: None).add(*files[0])
    assert rows(catalog) == 24


def test_many_committers_add_each_file_once(tmp_path, catalog, files):
    uuid = open_table(NAME, catalog, SCHEMA).uuid
    committers = [IcebergTable(open_catalog(tmp_path), NAME, uuid, sleep=lambda _: None) for _ in range(4)]
    with ThreadPoolExecutor() as pool:
        added = list(pool.map(lambda each: [each.add(*file) for file in files], committers))
    assert [sum(column) for column in zip(*added, strict=True)] == [1, 1]
    assert rows(catalog) == 24


@pytest.mark.parametrize("landed", [False, True])
def test_a_commit_of_unknown_outcome_is_looked_up(catalog, files, monkeypatch, landed):
    table = open_table(NAME, catalog, SCHEMA)
    commit = SqlCatalog.commit_table
    failures = [CommitStateUnknownException("the response was lost")]

    def lose_response(self, *args, **options):
        if not failures:
            return commit(self, *args, **options)
        if landed:
            commit(self, *args, **options)
        raise failures.pop()

    monkeypatch.setattr(SqlCatalog, "commit_table", lose_response)
    assert IcebergTable(catalog, NAME, table.uuid, sleep=lambda _: None).add(*files[0]) is not landed
    assert rows(catalog) == 12


def test_it_gives_up_at_last(catalog, files, monkeypatch):
    table = open_table(NAME, catalog, SCHEMA)

    def refuse(*_args, **_options):
        raise CommitFailedException("others are faster")

    monkeypatch.setattr(SqlCatalog, "commit_table", refuse)
    waits = []
    with pytest.raises(IcebergError, match="others committed before each of 20 attempts"):
        IcebergTable(catalog, NAME, table.uuid, sleep=waits.append).add(*files[0])
    assert len(waits) == 20
    assert max(waits) <= 5


def test_a_table_that_does_not_fit_is_named(catalog, files):
    other = SourceRows(msgspec.defstruct("Other", [("n", int)])).schema
    table = open_table(NAME, catalog, other)
    with pytest.raises(IcebergError, match=r"was not added to lake\.trucks"):
        table.add(*files[0])


def test_a_missing_catalog_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PYICEBERG_HOME", str(tmp_path))
    with pytest.raises(ConfigurationError, match=r"iceberg is 'lake\.trucks', and .*NOWHERE"):
        open_table(NAME, "nowhere", SCHEMA)
