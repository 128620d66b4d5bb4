"""The read quota of a shard, shared with readers that cannot be seen.

The API reference of GetRecords (read 2026-11-29): "This operation has a limit of five transactions per second per
shard." "Each shard can read up to 2 MiB per second." "The maximum size of data that GetRecords can return is 10 MiB. If
a call returns this amount of data, subsequent calls made within the next 5 seconds throw
ProvisionedThroughputExceededException." So a page is paid for after it was read: the next call waits until its bytes
have been granted at 2 MiB a second, and 0.2 s at least. Without bursts no credit has to be kept: each call only sets
the earliest time of the next one.

All readers of a shard share its quota. A reader does not see the others, only its throttled calls. So each one uses a
part of the quota, which falls by a factor when calls are throttled and rises by a constant each second (additive
increase, multiplicative decrease, as TCP does): readers that compete end at equal parts. Three rules keep that fair:

- A page is asked to have about 512 KiB (`PAGE_BYTES`), not 10 MiB. After 10 MiB nobody can read for five seconds, and
  the reader that caused it returns at the right moment and takes the next 10 MiB, while the others only see throttles.
  With 1 MiB, a reader that is behind still left one that is not behind a call in two seconds.
- Throttled calls without a page between them count as one. Otherwise somebody else's 10 MiB would bring a reader down
  to its least part.
- A throttled call is repeated after about the 0.2 s that the quota allows, also with a small part, and at a random
  moment. Beside a reader that never slows down only asking again gets a turn.

The constants are the result of simulations against the local Kinesis (tests/consumer/reading/pacing). With
them two to four readers get 0.87 to 1.18 times an equal part; with repetition at the reader's own pace, 0.63 to 1.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from random import Random

__all__ = ["PAGE_BYTES", "ReadPacer"]

CALLS_PER_SECOND: Final = 5.0
BYTES_PER_SECOND: Final = 2.0 * 1024 * 1024
#: At 5 calls a second more than 2 MiB, so that one reader fills the quota.
PAGE_BYTES: Final = 512 * 1024

DECREASE: Final = 0.7
INCREASE_PER_SECOND: Final = 0.05
#: One call a second.
LEAST_PART: Final = 0.2
#: Two pages that are further apart count as so many seconds, so that idle time does not raise the part at once.
MOST_SECONDS_BETWEEN_PAGES: Final = 1.0
#: A call that comes later than it was due, since the event loop was busy, is paid for from then on: the quota went on
#: growing. Without this, 9 ms of delay a call left 4 % of the quota unused. A call that is later follows a pause.
MOST_LATENESS: Final = 0.05


class ReadPacer:
    """One reader's part of the read quota of one shard.

    Args:
        random: the source of the jitter.
        now: seconds of the clock that all calls use.
    """

    __slots__ = ("_is_slowed", "_last_page_at", "_next_at", "_paid_from", "_random", "part")

    def __init__(self, random: Random, now: float) -> None:
        self._random = random
        self._next_at = now
        self._paid_from = now
        self._last_page_at = now
        self._is_slowed = False
        #: The part of the quota that this reader uses, up to 1.
        self.part = 1.0

    def next_call(self) -> float:
        """Return when the next call may be made."""
        return self._next_at

    def on_call(self, now: float) -> None:
        """Count a call that is made at `now`."""
        self._paid_from = self._next_at if now - self._next_at <= MOST_LATENESS else now
        self._next_at = now + 1.0 / (CALLS_PER_SECOND * self.part)

    def on_page(self, size: int, asked_at: float) -> None:
        """Pay for a page of `size` bytes, keys included, that was asked for at `asked_at`."""
        self._next_at = max(self._next_at, self._paid_from + size / (BYTES_PER_SECOND * self.part))
        seconds = min(asked_at - self._last_page_at, MOST_SECONDS_BETWEEN_PAGES)
        self.part = min(1.0, self.part + INCREASE_PER_SECOND * seconds)
        self._last_page_at = asked_at
        self._is_slowed = False

    def on_throttled(self, now: float) -> None:
        """Slow down: the call that was made last was throttled."""
        if not self._is_slowed:
            self.part = max(LEAST_PART, self.part * DECREASE)
            self._is_slowed = True
        self._next_at = now + self._random.uniform(0.5, 1.5) / CALLS_PER_SECOND
