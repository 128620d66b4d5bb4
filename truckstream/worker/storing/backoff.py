"""How long a shard waits before it tries again to store a group, or to write to the lease table.

The shard is held meanwhile: its records are kept, and no later ones are stored. The batcher has made several requests
within seconds before the first of these waits. So the waits are long, for outages of minutes; and they vary, so that
the shards of many workers do not come back at the same moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from random import Random

__all__ = ["LONGEST_WAIT", "wait_after"]

#: Seconds. After an outage a shard is held this much longer at most.
LONGEST_WAIT: Final = 30.0

_FIRST_WAIT: Final = 0.5


def wait_after(failures: int, random: Random) -> float:
    """Return the seconds to wait after so many failures in a row, at least one."""
    bound = min(LONGEST_WAIT, _FIRST_WAIT * 2 ** min(failures - 1, 10))
    return random.uniform(bound / 2, bound)
