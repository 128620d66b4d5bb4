"""Any sequence of calls of several workers, on a table in memory and in a file, against a model of ten lines."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from truckstream.consumer.leases.lease import Checkpoint, Lease, PendingCheckpoint
from truckstream.consumer.leases.lease_changes import (
    announced,
    asked_for,
    ended,
    handed_back,
    released,
    renewed,
    saved,
    taken,
    withdrawn,
)
from truckstream.consumer.tables.memory_table import MemoryTable
from truckstream.consumer.tables.sqlite_table import SqliteTable

keys = st.sampled_from(["s0", "s1", "s2"])
workers = st.sampled_from(["a", "b"])
numbers = st.integers(0, 99)
CHANGES = {
    "take": lambda lease, worker, _: taken(lease, worker),
    "ask": lambda lease, worker, _: asked_for(lease, worker),
    "withdraw": lambda lease, _worker, _: withdrawn(lease),
    "decline": lambda lease, _worker, _: handed_back(lease),
    "renew": lambda lease, _worker, _: renewed(lease),
    "note": lambda lease, _worker, number: renewed(lease, Checkpoint(str(number), number)),
    "save": lambda lease, _worker, number: saved(lease, Checkpoint(str(number))),
    "announce": lambda lease, _worker, number: announced(lease, PendingCheckpoint(Checkpoint(str(number)), b"x")),
    "end": lambda lease, _worker, number: ended(lease, [f"child-{number}"]),
    "release": lambda lease, _worker, _: released(lease),
}


class LeaseTables(RuleBasedStateMachine):
    """`seen` are leases as some worker read or wrote them, perhaps long ago."""

    seen = Bundle("seen")

    @initialize()
    def open(self):
        self.runner = asyncio.Runner()
        self.folder = TemporaryDirectory()
        path = Path(self.folder.name) / "leases.sqlite"
        #: Two connections to the file, as two processes have.
        self.tables = [MemoryTable(), SqliteTable(path), SqliteTable(path)]
        self.model: dict[str, Lease] = {}
        for table in self.tables:
            self.runner.run(table.open())

    def teardown(self):
        for table in self.tables:
            self.runner.run(table.close())
        self.runner.close()
        self.folder.cleanup()

    def both(self, call, second):
        """Make a call on both tables, and return the outcome, which must be the same."""
        in_memory, in_file = (self.runner.run(call(table)) for table in (self.tables[0], self.tables[1 + second]))
        assert in_memory == in_file
        return in_memory

    @rule(target=seen, key=keys, worker=st.none() | workers, second=st.booleans())
    def create(self, key, worker, second):
        lease = Lease(
            key=key, shard_id=key, owner=worker, checkpoint=Checkpoint("TRIM_HORIZON"), hash_range=(0, 2**128 - 1)
        )
        assert self.both(lambda table: table.create(lease), second) is (key not in self.model)
        return self.model.setdefault(key, lease)

    @rule(
        target=seen,
        before=seen,
        change=st.sampled_from(sorted(CHANGES)),
        worker=workers,
        number=numbers,
        second=st.booleans(),
    )
    def replace(self, before, change, worker, number, second):
        after = CHANGES[change](before, worker, number)
        found = self.model.get(before.key)
        matches = found is not None and fence(found) == fence(before)
        assert self.both(lambda table: table.replace(before, after), second) is (matches or found == after)
        if matches:
            self.model[before.key] = after
        # The write again, as after a lost response: it succeeds, because nobody has written since, and changes nothing.
        if matches and fence(after) != fence(before):
            assert self.both(lambda table: table.replace(before, after), second)
        return self.model.get(before.key, before)

    @rule(lease=seen, second=st.booleans())
    def delete(self, lease, second):
        found = self.model.get(lease.key)
        may = found is None or found.counter == lease.counter
        assert self.both(lambda table: table.delete(lease), second) is may
        if may:
            self.model.pop(lease.key, None)

    @invariant()
    def every_table_has_the_leases_of_the_model(self):
        for table in self.tables:
            assert {lease.key: lease for lease in self.runner.run(table.read())} == self.model


def fence(lease):
    return lease.owner, lease.checkpoint_owner, lease.counter


LeaseTables.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestLeaseTables = LeaseTables.TestCase
