"""Add compacted files to an Apache Iceberg table, each once.

A commit carries the key of its file as a property of the snapshot. pyiceberg refuses to add a file that the table has,
but checks that before its first attempt only: when two committers with the same old view of the table commit the same
file, its retry adds the file for both (pyiceberg 0.12; apache/iceberg-python#3320). So each attempt here is one request
without a retry, on a table that was just loaded and in which the property was not found. The catalog accepts it only if
nobody has committed since.

Snapshots expire, and a table's own maintenance may rewrite a file's rows into others. So a commit also leaves a mark in
the store, and files with a mark are never added again. The mark names the table by its UUID: a table that was dropped
and made anew gets all files.
"""

from __future__ import annotations

import time
from random import Random
from typing import TYPE_CHECKING, Any, Final

from truckstream.errors import ConfigurationError, IcebergError

try:
    import pyarrow as pa
    from pyiceberg.catalog import load_catalog
    from pyiceberg.exceptions import (
        CommitFailedException,
        CommitStateUnknownException,
        NoSuchTableError,
    )
except ImportError as _error:
    raise ConfigurationError(
        "iceberg", "needs pyiceberg, which is not installed", "pip install 'truckstream[iceberg]'"
    ) from _error

if TYPE_CHECKING:
    from collections.abc import Callable

    from arro3 import core
    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

__all__ = ["PROPERTY", "IcebergTable", "open_table"]

#: The property of a snapshot that holds the key of its file, which follows from the digest of the file's sources.
PROPERTY: Final = "truckstream.compacted-file"

#: Attempts for one file while others commit to the table. A commit takes a second or two.
ATTEMPTS: Final = 20

#: Seconds to wait after the first failed attempt, and at most.
_FIRST_WAIT: Final = 0.1
_LONGEST_WAIT: Final = 5.0


def open_table(identifier: str, catalog: str | Catalog, schema: core.Schema) -> IcebergTable:
    """Open a table, or create it with the columns of the compacted files.

    Args:
        identifier: namespace and name, such as "lake.trucks".
        catalog: a catalog of pyiceberg, or its name in pyiceberg's configuration.
        schema: the columns.

    Raises:
        ConfigurationError: there is no such catalog, or it cannot be reached.
    """
    try:
        opened = load_catalog(catalog) if isinstance(catalog, str) else catalog
        try:
            table = opened.load_table(identifier)
        except NoSuchTableError:
            opened.create_namespace_if_not_exists(identifier.rpartition(".")[0])
            table = opened.create_table_if_not_exists(identifier, pa.schema(schema))
    except Exception as error:  # each catalog raises the errors of its own client
        hint = "Check the table's name, NAMESPACE.TABLE, and the catalog in pyiceberg's configuration."
        raise ConfigurationError("iceberg", f"is {identifier!r}, and {_text(error)}", hint) from error
    return IcebergTable(opened, identifier, str(table.metadata.table_uuid))


class IcebergTable:
    """A table that takes compacted files."""

    def __init__(
        self,
        catalog: Catalog,
        identifier: str,
        uuid: str,
        *,
        random: Random | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._catalog = catalog
        self._identifier = identifier
        self._random = random or Random()
        self._sleep = sleep
        self.uuid = uuid

    def add(self, url: str, key: str) -> bool:
        """Add a file; return False if it was added before.

        Raises:
            IcebergError: it is not added, or it is unknown whether it is. The same call finds that out.
        """
        for attempt in range(ATTEMPTS):
            try:
                table = self._catalog.load_table(self._identifier)
                if _has_file(table, key):
                    return False
                _without_retries(table).add_files([url], snapshot_properties={PROPERTY: key})
            except (CommitFailedException, CommitStateUnknownException):
                self._sleep(self._random.uniform(0, min(_LONGEST_WAIT, _FIRST_WAIT * 2**attempt)))
            except Exception as error:
                if "already referenced by table" in str(error):  # added by hand, or its snapshot has expired
                    return False
                raise IcebergError(f"{url} was not added to {self._identifier}: {_text(error)}") from error
            else:
                return True
        raise IcebergError(
            f"{url} was not added to {self._identifier}: others committed before each of {ATTEMPTS} attempts"
        )


def _has_file(table: Table, key: str) -> bool:
    snapshots = table.metadata.snapshots
    return any(each.summary is not None and each.summary.get(PROPERTY) == key for each in snapshots)


def _without_retries(table: Table) -> Table:
    """Return the table, whose commits make one attempt. The property is not stored."""
    properties = {**table.metadata.properties, "commit.retry.num-retries": "0"}
    table.metadata = table.metadata.model_copy(update={"properties": properties})
    return table


def _text(error: Any) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"
