"""Compare the records of a shard with its groups: each record must be stored once, and nothing else.

Records and groups come in the order of their numbers. Groups whose ranges overlap, or touch the same records, form a
cluster, which is compared as a whole: each stored record is subtracted from a balance, each record of the stream is
added, and at the end of the cluster every balance must be zero. So neither a shard whose groups interleave nor a long
cluster takes more memory than the groups that are open.

The balance goes by the records' bytes, or by their numbers where the objects have those instead (Parquet, lines with
stream fields). If the objects of a cluster have nothing in common, the counts are compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from truckstream.batcher.reading.aggregates import read_payload
from truckstream.batcher.reading.event import UnreadableData
from truckstream.data.audit.findings import AuditFinding
from truckstream.data.audit.objects.stored_records import identity_of_bytes, identity_of_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from truckstream.data.audit.findings import FindingKind
    from truckstream.data.audit.objects.stored_records import StoredRecords
    from truckstream.data.audit.shards.groups import StoredGroupObjects
    from truckstream.kinesis.reading.shard_record import ShardRecord

__all__ = ["ShardComparison"]

#: Objects and numbers that a finding about a cluster names.
_MOST_NAMED: Final = 5


class _Balance:
    """How often each record is in the stream minus how often it is in the objects; zeros are left out."""

    def __init__(self) -> None:
        self._records: dict[bytes, list[int]] = {}

    def add(self, identity: bytes, change: int, number: int) -> None:
        entry = self._records.setdefault(identity, [0, number])
        entry[0] += change
        if entry[0] == 0:
            del self._records[identity]

    def missing(self) -> list[int]:
        """Return the numbers of the records that the objects lack, one for each."""
        return sorted(number for count, number in self._records.values() for _ in range(count))

    def extra(self) -> int:
        return sum(-count for count, _ in self._records.values() if count < 0)


@dataclass(slots=True)
class _Gap:
    """Consecutive records of the stream that no group covers."""

    records: int = 0
    first: int = 0
    last: int = 0
    #: Arrivals.
    oldest: float = float("inf")
    latest: float = float("-inf")

    def add(self, number: int, records: int, arrival: float) -> None:
        """Take the next record of the stream, of so many user records."""
        self.first = self.first if self.records else number
        self.last = number
        self.records += records
        self.oldest, self.latest = min(self.oldest, arrival), max(self.latest, arrival)


class _Cluster:
    """Groups that are compared as a whole."""

    def __init__(self, *, is_partial: bool) -> None:
        #: Whether the stream no longer has the first records of its first group.
        self.is_partial = is_partial
        self.last = 0
        self.modified = float("-inf")
        self.keys: list[str] = []
        self.in_stream = self.in_objects = 0
        self._by_bytes: _Balance | None = _Balance()
        self._by_numbers: _Balance | None = _Balance()

    def add_group(self, group: StoredGroupObjects, records: StoredRecords) -> None:
        self.last = max(self.last, group.last)
        self.modified = max(self.modified, group.modified)
        if len(self.keys) < _MOST_NAMED:
            self.keys += group.keys
        self.in_objects += group.lines
        self._by_bytes = _subtract(self._by_bytes, records.by_bytes, group.first)
        self._by_numbers = _subtract(self._by_numbers, records.by_numbers, group.first)

    def add_record(self, record: ShardRecord) -> None:
        number = int(record.sequence_number)
        for data, subsequence in _user_records(record):
            self.in_stream += 1
            if self._by_bytes is not None:
                self._by_bytes.add(identity_of_bytes(data), 1, number)
            if self._by_numbers is not None:
                self._by_numbers.add(identity_of_numbers(record.sequence_number, subsequence), 1, number)

    def differences(self) -> tuple[list[int], int, int]:
        """Return the numbers of the missing records that are known, how many are missing, and how many are extra."""
        balance = self._by_bytes if self._by_bytes is not None else self._by_numbers
        if balance is None:
            missing = self.in_stream - self.in_objects
            return [], max(0, missing), 0 if self.is_partial else max(0, -missing)
        numbers = balance.missing()
        return numbers, len(numbers), 0 if self.is_partial else balance.extra()


class ShardComparison:
    """Compares one shard.

    Args:
        place: the stream and the shard.
        since: the earliest arrival of a record that must be stored, in seconds since the epoch; None for any.
        until: the arrival before which a record must be stored; None for any.
        settled_before: records and objects that came later may still be under way.
    """

    def __init__(self, place: tuple[str, str], since: float | None, until: float | None, settled_before: float) -> None:
        self._place = place
        self._since = since if since is not None else float("-inf")
        self._until = until if until is not None else float("inf")
        self._settled_before = settled_before
        self._cluster: _Cluster | None = None
        #: Records that no group covers so far.
        self._gap = _Gap()
        self.compared = 0
        self.waiting = 0
        self.findings: list[AuditFinding] = []

    def covers(self, number: int) -> bool:
        """Whether a group that was added may hold the record."""
        return self._cluster is not None and number <= self._cluster.last

    def add_group(self, group: StoredGroupObjects, records: StoredRecords, *, is_partial: bool = False) -> None:
        """Take the next group, before the first record of the stream that it may hold."""
        if self._cluster is not None and group.first > self._cluster.last:
            self._close_cluster()
        self._report_missing(group)
        if self._cluster is None:
            self._cluster = _Cluster(is_partial=is_partial)
        self._cluster.add_group(group, records)

    def add_record(self, record: ShardRecord) -> None:
        """Take the next record of the stream, not taken apart."""
        number = int(record.sequence_number)
        if self._cluster is not None and number <= self._cluster.last:
            self._cluster.add_record(record)
        elif self._since <= record.arrival < self._until:
            self._gap.add(number, sum(1 for _ in _user_records(record)), record.arrival)

    def finish(self) -> None:
        """Note that the stream has no more records, or none that matter."""
        if self._cluster is not None:
            self._close_cluster()
        self.waiting = self._gap.records
        if self.waiting and self._gap.oldest <= self._settled_before:
            text = (
                f"{self.waiting:,} records wait at the end of {self._place[1]}, the first since "
                f"{datetime.fromtimestamp(self._gap.oldest, UTC):%Y-%m-%dT%H:%M:%SZ}: the storing program is behind or "
                "has stopped, or their objects were deleted"
            )
            self._find("waiting", text, (), (self._gap.first, self._gap.last))

    def _report_missing(self, group: StoredGroupObjects) -> None:
        """Report the records before a group that no group covers."""
        gap, self._gap = self._gap, _Gap()
        if not gap.records:
            return
        text = f"{gap.records:,} records of the stream before {group.main.key} are in no object"
        settled = max(gap.latest, group.modified) <= self._settled_before
        self._find("missing", text, (group.main.key,), (gap.first, gap.last), settled=settled)

    def _close_cluster(self) -> None:
        cluster, self._cluster = self._cluster, None
        assert cluster is not None  # noqa: S101 - a bug of ours
        numbers, missing, extra = cluster.differences()
        self.compared += cluster.in_stream
        if not missing and not extra:
            return
        named = ", ".join(map(str, numbers[:_MOST_NAMED])) + (", …" if len(numbers) > _MOST_NAMED else "")
        where = f"({named})" if numbers else ""
        objects = " and ".join(cluster.keys)
        kind: FindingKind
        if missing and extra:
            kind = "altered"
            text = f"{missing:,} records of the stream {where} are not in {objects}, and {extra:,} others are in it"
        elif missing:
            kind, text = "missing", f"{missing:,} records of the stream {where} are not in {objects}"
        else:
            kind, text = "doubled", f"{objects}: {extra:,} records more than the stream has there"
        settled = cluster.modified <= self._settled_before
        self._find(
            kind, text, tuple(cluster.keys), (numbers[0], numbers[-1]) if numbers else (None, None), settled=settled
        )

    def _find(
        self,
        kind: FindingKind,
        text: str,
        keys: tuple[str, ...],
        numbers: tuple[int | None, int | None],
        *,
        settled: bool = True,
    ) -> None:
        found = AuditFinding.of(kind, text, *keys, place=self._place, numbers=numbers, settled=settled)
        self.findings.append(found)


def _user_records(record: ShardRecord) -> Iterator[tuple[bytes, int | None]]:
    """Yield the bytes and the subsequence number of each user record, as the batcher takes aggregates apart."""
    payload = read_payload(record.data)
    if isinstance(payload, list):
        yield from ((user.data, at) for at, user in enumerate(payload))
    else:
        yield (record.data if isinstance(payload, UnreadableData) else payload), None


def _subtract(balance: _Balance | None, identities: Iterable[bytes] | None, number: int) -> _Balance | None:
    if balance is None or identities is None:
        return None
    for identity in identities:
        balance.add(identity, -1, number)
    return balance
