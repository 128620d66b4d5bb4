"""The table of all kinds of fault, by name. The code, the documentation, `--list-faults` and the tests read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from truckstream.local.faults.kinds import connections, error_responses, records, stream_changes, timing

if TYPE_CHECKING:
    from truckstream.local.faults.kinds.kind import Kind

__all__ = ["KINDS"]

KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for module in (records, connections, error_responses, timing, stream_changes)
    for kind in module.KINDS
}
