"""Batches that Lambda gave up: are their records stored by now, and which findings do they explain?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from truckstream.data.audit.findings import AuditFinding

if TYPE_CHECKING:
    from collections.abc import Iterable

    from truckstream.data.objects.given_up_batch import GivenUpBatch

__all__ = ["explain", "given_up_finding"]


def given_up_finding(batch: GivenUpBatch) -> AuditFinding:
    """Return the finding about a batch that is not stored."""
    text = f"Lambda gave up {batch.size:,} records ({batch.condition}), which are in {batch.key} and in no object"
    numbers = (int(batch.first_sequence_number), int(batch.last_sequence_number))
    return AuditFinding.of("given_up", text, batch.key, place=(batch.stream, batch.shard), numbers=numbers)


def explain(findings: Iterable[AuditFinding], given_up: Iterable[AuditFinding]) -> list[AuditFinding]:
    """Return the findings; those about missing records that Lambda gave up name the batch."""
    batches = list(given_up)
    return [_explained(each, batches) if each.kind in {"hole", "missing"} else each for each in findings]


def _explained(finding: AuditFinding, given_up: list[AuditFinding]) -> AuditFinding:
    keys = [key for each in given_up if _overlap(finding, each) for key in each.keys]
    if not keys:
        return finding
    text = f"{finding.text}; Lambda gave records there up: {', '.join(keys)}"
    return msgspec.structs.replace(finding, text=text, keys=(*finding.keys, *keys))


def _overlap(one: AuditFinding, other: AuditFinding) -> bool:
    if (one.stream, one.shard) != (other.stream, other.shard):
        return False
    first = int(one.first_sequence_number or 0)
    last = int(one.last_sequence_number or first)
    return first <= int(other.last_sequence_number or 0) and int(other.first_sequence_number or 0) <= last
