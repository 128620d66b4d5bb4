"""A lease table in a SQLite file, for the processes of one machine.

SQLite locks the file for each write, so that one of several processes wins. Network file systems break these locks: put
the file on a local disk.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from truckstream.consumer.leases.lease import Checkpoint, Lease, PendingCheckpoint
from truckstream.errors import LeaseTableError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SqliteTable"]

_T = TypeVar("_T")

#: Seconds to wait while another process writes.
_BUSY_TIMEOUT: Final = 5.0

#: Columns and their types. Hash keys have up to 128 bits, more than an integer of SQLite.
_COLUMNS: Final = {
    "key": "TEXT PRIMARY KEY",
    "shard_id": "TEXT NOT NULL",
    "stream": "TEXT",
    "owner": "TEXT",
    "checkpoint_owner": "TEXT",
    "counter": "INTEGER NOT NULL",
    "checkpoint": "TEXT NOT NULL",
    "checkpoint_subsequence": "INTEGER NOT NULL",
    "pending": "TEXT",
    "pending_subsequence": "INTEGER",
    "pending_state": "BLOB",
    "owner_switches": "INTEGER NOT NULL",
    "parent_ids": "TEXT NOT NULL",
    "child_ids": "TEXT NOT NULL",
    "starting_hash_key": "TEXT",
    "ending_hash_key": "TEXT",
}
_CREATE_TABLE: Final = f"CREATE TABLE IF NOT EXISTS leases ({', '.join(f'{n} {t}' for n, t in _COLUMNS.items())})"
_SELECT: Final = f"SELECT {', '.join(_COLUMNS)} FROM leases"  # noqa: S608 - the names above
_INSERT: Final = f"INSERT OR IGNORE INTO leases VALUES ({', '.join(f':{name}' for name in _COLUMNS)})"  # noqa: S608
_CONDITION: Final = (
    "counter = :before_counter AND owner IS :before_owner AND checkpoint_owner IS :before_checkpoint_owner"
)
_SET: Final = ", ".join(f"{name} = :{name}" for name in _COLUMNS)
_UPDATE: Final = f"UPDATE leases SET {_SET} WHERE key = :key AND {_CONDITION}"  # noqa: S608 - the names above
_DELETE: Final = "DELETE FROM leases WHERE key = :key AND counter = :counter"


class SqliteTable:
    """Leases in a file.

    Args:
        path: the file.
        create: whether opening creates the file if there is none.
    """

    names_streams = True

    def __init__(self, path: str | Path, *, create: bool = True) -> None:
        self._path = str(path)
        self._creates = create
        self._thread: ThreadPoolExecutor | None = None
        self._database: sqlite3.Connection

    async def open(self) -> None:
        """Open the file; create it if there is none."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="truckstream-leases")
        await self._run(self._connect)

    async def close(self) -> None:
        """Close the file. May be called twice."""
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.get_running_loop().run_in_executor(thread, self._disconnect)
            thread.shutdown()

    async def read(self) -> list[Lease]:
        """Return all leases."""
        return await self._run(lambda: [_lease_of(row) for row in self._database.execute(_SELECT)])

    async def create(self, lease: Lease) -> bool:
        """Add a lease. False if there is one with its key, which stays as it is."""
        return await self._run(lambda: self._database.execute(_INSERT, _values_of(lease)).rowcount == 1)

    async def replace(self, before: Lease, after: Lease) -> bool:
        """Write `after` if the table's lease has the owner, checkpoint owner and counter of `before`; else False."""
        condition = {
            "before_counter": before.counter,
            "before_owner": before.owner,
            "before_checkpoint_owner": before.checkpoint_owner,
        }

        def write() -> bool:
            if self._database.execute(_UPDATE, _values_of(after) | condition).rowcount == 1:
                return True
            return self._find(after.key) == after

        return await self._run(write)

    async def delete(self, lease: Lease) -> bool:
        """Remove a lease if it has the counter of `lease`; False if it has another."""
        values = {"key": lease.key, "counter": lease.counter}
        return await self._run(
            lambda: self._database.execute(_DELETE, values).rowcount == 1 or self._find(lease.key) is None
        )

    # --- In the thread --------------------------------------------------------------------------

    def _connect(self) -> None:
        if not self._creates and not Path(self._path).exists():
            raise LeaseTableError("missing", f"there is no {self._path}: a consumer creates it when it opens")
        self._database = sqlite3.connect(
            self._path, timeout=_BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        self._database.row_factory = sqlite3.Row
        self._database.execute("PRAGMA journal_mode = WAL")  # readers do not wait for writers
        self._database.execute("PRAGMA synchronous = FULL")  # a checkpoint survives a power failure
        self._database.execute(_CREATE_TABLE)

    def _disconnect(self) -> None:
        if hasattr(self, "_database"):
            self._database.close()

    def _find(self, key: str) -> Lease | None:
        row = self._database.execute(f"{_SELECT} WHERE key = ?", (key,)).fetchone()
        return None if row is None else _lease_of(row)

    async def _run(self, call: Callable[[], _T]) -> _T:
        if self._thread is None:
            raise LeaseTableError("closed", f"the lease table {self._path} is not open")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, call)
        except sqlite3.Error as error:
            hint = "It must be a SQLite file on a local disk that this process may write, and its folder too"
            raise LeaseTableError(type(error).__name__, f"{error} in {self._path}. {hint}") from error


def _values_of(lease: Lease) -> dict[str, Any]:
    pending = lease.pending
    starting, ending = lease.hash_range or (None, None)
    return {
        "key": lease.key,
        "shard_id": lease.shard_id,
        "stream": lease.stream,
        "owner": lease.owner,
        "checkpoint_owner": lease.checkpoint_owner,
        "counter": lease.counter,
        "checkpoint": lease.checkpoint.sequence_number,
        "checkpoint_subsequence": lease.checkpoint.subsequence_number,
        "pending": pending and pending.checkpoint.sequence_number,
        "pending_subsequence": pending and pending.checkpoint.subsequence_number,
        "pending_state": pending and pending.state,
        "owner_switches": lease.owner_switches,
        "parent_ids": json.dumps(lease.parent_ids),
        "child_ids": json.dumps(lease.child_ids),
        "starting_hash_key": None if starting is None else str(starting),
        "ending_hash_key": None if ending is None else str(ending),
    }


def _lease_of(row: sqlite3.Row) -> Lease:
    pending = None
    if row["pending"] is not None:
        pending = PendingCheckpoint(Checkpoint(row["pending"], row["pending_subsequence"]), row["pending_state"])
    hash_range = None
    if row["starting_hash_key"] is not None:
        hash_range = int(row["starting_hash_key"]), int(row["ending_hash_key"])
    return Lease(
        key=row["key"],
        shard_id=row["shard_id"],
        stream=row["stream"],
        owner=row["owner"],
        counter=row["counter"],
        checkpoint=Checkpoint(row["checkpoint"], row["checkpoint_subsequence"]),
        pending=pending,
        owner_switches=row["owner_switches"],
        parent_ids=tuple(json.loads(row["parent_ids"])),
        child_ids=tuple(json.loads(row["child_ids"])),
        hash_range=hash_range,
        checkpoint_owner=row["checkpoint_owner"],
    )
