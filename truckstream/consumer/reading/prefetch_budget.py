"""A budget of bytes for the pages of all shards: those on their way, those that wait, and those being processed.

A call reserves the bytes that its page will probably have; the page's size replaces them when it has come. Aggregates
reserve what their user records will take before they are opened, see page_opener.py. A page counts until all its
batches are released. Three rules divide the budget:

- A shard that holds nothing may always fetch one page while the budget is not used up. Among those that wait it comes
  before the shards that hold something, whose records keep the application busy. So a slow application cannot stop the
  reading of its other shards, and no shard starves.
- A shard that holds something may read ahead as long as its reservation fits both the budget and the shard's part of
  it. Otherwise one shard whose records are never processed would take all of it.
- Shards that hold nothing are served as if blocked shards held nothing. The processor of a blocked shard waits for the
  records of other shards, so that its bytes are released only after theirs were read. If they counted, shards that are
  ahead could fill the budget, and wait for ever for a shard that cannot read.

Each line is first come, first served. The total exceeds the budget by less than `LEAST_RESERVATION`, by what one
aggregate has beyond the bytes that were left for it, and by the bytes that pages have beyond their reservations:
`Limit` counts records, so only their average size bounds a page. If shards are blocked, each shard may have one page,
or one piece of one, beyond the budget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["LEAST_RESERVATION", "PrefetchBudget"]

#: 64 shards that read ahead by a page.
DEFAULT_CAPACITY: Final = 64 * 1024 * 1024
#: A call for a few bytes would waste one of the shard's five calls a second, so the last one gets this at least.
LEAST_RESERVATION: Final = 64 * 1024
#: Each shard's part of the budget is at least this, about a second of its read quota, however many shards there are.
LEAST_PART: Final = 2 * 1024 * 1024


class _Account:
    """The bytes of one shard."""

    __slots__ = ("held", "is_blocked", "is_open", "reserved", "wanted")

    def __init__(self) -> None:
        self.held = 0
        self.reserved = 0
        #: The bytes that it waits for; 0 if it does not wait.
        self.wanted = 0
        self.is_open = True
        self.is_blocked = False


class PrefetchBudget:
    """The bytes that all shards of a consumer may hold. A shard has one reservation at a time."""

    def __init__(self, capacity: int = DEFAULT_CAPACITY) -> None:
        self.capacity = capacity
        #: Bytes that are held or reserved.
        self.used = 0
        # The part of them that blocked shards hold.
        self._blocked = 0
        self._accounts: dict[str, _Account] = {}
        # Shards that wait, in their order. A shard that waits for its own part of the budget is in neither.
        self._empty: dict[str, None] = {}
        self._reading_ahead: dict[str, None] = {}
        self._granted: list[str] = []

    def add(self, shard_id: str) -> None:
        """Take part. Bytes that the shard still holds from an earlier time count."""
        self._accounts.setdefault(shard_id, _Account()).is_open = True

    def remove(self, shard_id: str) -> None:
        """End a shard's reservation or its wait. Bytes that it holds count until they are released."""
        account = self._accounts[shard_id]
        account.is_open = False
        account.wanted = 0
        self._empty.pop(shard_id, None)
        self._reading_ahead.pop(shard_id, None)
        self.settle(shard_id, 0)
        self._forget(shard_id, account)

    def reserve(self, shard_id: str, wanted: int) -> int:
        """Return how many bytes the shard's next page may have; 0 if the shard has to wait, see `take_granted`.

        Repeated calls return the same reservation, or keep the shard's place.
        """
        account = self._accounts[shard_id]
        if not account.reserved and not account.wanted:
            account.wanted = max(1, wanted)
            self._enqueue(shard_id, account)
            self._serve()
            if account.reserved:
                self._granted.remove(shard_id)
        return account.reserved

    def settle(self, shard_id: str, size: int) -> None:
        """End the reservation. The shard holds a page of `size` bytes; 0 if the call failed, or returned no records."""
        account = self._accounts[shard_id]
        self.used -= account.reserved
        account.reserved = 0
        self._hold(account, size)
        self._serve()

    def release(self, shard_id: str, size: int) -> None:
        """Count `size` bytes of the shard as processed, or dropped."""
        account = self._accounts[shard_id]
        self._hold(account, -size)
        if account.wanted:
            self._enqueue(shard_id, account)
        self._serve()
        self._forget(shard_id, account)

    def set_blocked(self, shard_id: str, *, is_blocked: bool) -> None:
        """Note that the shard's processor begins, or ends, to wait for other shards. A removed one is ignored."""
        account = self._accounts.get(shard_id)
        if account is not None and account.is_blocked != is_blocked:
            account.is_blocked = is_blocked
            self._blocked += account.held if is_blocked else -account.held
            self._serve()

    def take_granted(self) -> list[str]:
        """Return the shards whose wait has ended since the last call, each with a reservation."""
        granted, self._granted = self._granted, []
        return [shard_id for shard_id in granted if shard_id in self._accounts and self._accounts[shard_id].reserved]

    def held(self, shard_id: str) -> int:
        """Return the bytes that the shard holds."""
        account = self._accounts.get(shard_id)
        return account.held if account else 0

    def _hold(self, account: _Account, size: int) -> None:
        self.used += size
        account.held += size
        if account.is_blocked:
            self._blocked += size

    def _forget(self, shard_id: str, account: _Account) -> None:
        if not account.is_open and not account.held:
            self._accounts.pop(shard_id, None)

    def _enqueue(self, shard_id: str, account: _Account) -> None:
        if not account.held:
            self._reading_ahead.pop(shard_id, None)
            self._empty.setdefault(shard_id)
        elif account.held + account.wanted <= max(self.capacity // len(self._accounts), LEAST_PART):
            self._reading_ahead.setdefault(shard_id)

    def _serve(self) -> None:
        while self._empty and (room := self.capacity - self.used + self._blocked) > 0:
            self._grant(self._empty, max(room, LEAST_RESERVATION))
        while self._reading_ahead:
            wanted = self._accounts[_first(self._reading_ahead)].wanted
            if self.used + wanted > self.capacity:
                return
            self._grant(self._reading_ahead, wanted)

    def _grant(self, line: dict[str, None], room: int) -> None:
        shard_id = _first(line)
        del line[shard_id]
        account = self._accounts[shard_id]
        account.reserved = min(account.wanted, room)
        account.wanted = 0
        self.used += account.reserved
        self._granted.append(shard_id)


def _first(line: Iterable[str]) -> str:
    return next(iter(line))
