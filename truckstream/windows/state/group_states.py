"""Groups as a part of a state, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from truckstream.windows.contents.group import GroupOrigin, WindowGroup
from truckstream.windows.state.resharding import belongs_to
from truckstream.windows.state.shard_state import GroupState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from truckstream.windows.contents.group import Columns
    from truckstream.windows.state.resharding import HashRange
    from truckstream.windows.state.shard_state import ShardState

__all__ = ["groups_of", "states_of"]


def states_of(groups: Iterable[WindowGroup]) -> tuple[list[GroupState], list[str]]:
    """Return the states of groups, whose records are all aggregated, and the parts that they name by their indexes."""
    parts: dict[str, int] = {}
    states = [
        GroupState(
            group.key,
            group.start,
            group.end,
            group.records,
            group.late,
            parts.setdefault(group.origin.part, len(parts)),
            None if group.origin.partition_key == group.key else group.origin.partition_key,
            group.origin.explicit_hash_key,
            [each.state() for each in group.accumulators],
        )
        for group in groups
    ]
    return states, list(parts)


def groups_of(state: ShardState, columns: Columns, owned: HashRange | None) -> list[WindowGroup]:
    """Return the groups of a state that a shard with the range `owned` takes over."""
    groups = []
    for each in state.groups:
        key: Any = tuple(each.key) if isinstance(each.key, list) else each.key
        partition_key = key if each.partition_key is None else each.partition_key
        if belongs_to(owned, state.owned, partition_key, each.explicit_hash_key):
            origin = GroupOrigin(state.parts[each.part], partition_key, each.explicit_hash_key)
            group = WindowGroup(key, each.start, each.end, origin, columns.restore(each.accumulators))
            group.aggregated, group.late = each.records, each.late
            groups.append(group)
    return groups
