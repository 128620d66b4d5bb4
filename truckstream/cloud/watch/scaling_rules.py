"""The scaling rules: figures in, advice out. Nothing in here calls AWS.

- Over 800 records/s per shard, or over 80 % of its 1 MiB/s: add shards until the load is below.
- A call over 4 minutes, or over 80 % of another timeout: double the memory, which also increases CPU and network.
- More than 1 % of the calls fail: investigate.
- S3 takes more than 5 s for an object: check network and permissions.
- Calls are throttled: the reserved concurrency is too small for the shards.

UpdateShardCount (Kinesis API reference, 2026-11) changes the number of shards to at most twice and at least half of the
present one, at most 10 times in 24 hours, and to at most 10,000. A large step is therefore taken in doublings, one per
run. Kinesis rejects the eleventh change of a day, and its error is reported.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from truckstream.cloud.watch.figures import Figures
    from truckstream.cloud.watch.reading.deployed_parts import DeployedParts

__all__ = ["RULE_COUNT", "Advice", "Capacity", "advise", "capacity_of", "unchecked_rules"]

#: 80 % of a shard's quota.
RECORDS_A_SHARD: Final = 800.0
BYTES_A_SHARD: Final = 0.8 * 1024 * 1024
MAX_ERROR_RATE: Final = 0.01
MAX_PUT_MS: Final = 5_000.0
#: Largest number of shards for UpdateShardCount and for the template.
MAX_SHARDS: Final = 10_000
MAX_MEMORY: Final = 10_240
#: 4 minutes of 5.
TIMEOUT_SHARE: Final = 0.8


@dataclass(frozen=True, slots=True)
class Capacity:
    """The present capacity of the pipeline."""

    shards: int
    on_demand: bool
    memory: int
    #: Seconds.
    timeout: int
    #: None without a reservation.
    reserved_concurrency: int | None = None
    parallelization: int = 1


@dataclass(frozen=True, slots=True)
class Advice:
    """The advice of one rule. `parameter` and `value` belong to the template; None if only a person can act."""

    rule: str
    reason: str
    action: str
    parameter: str | None = None
    value: str | None = None


def capacity_of(parts: DeployedParts) -> Capacity:
    """Return the capacity of the deployed parts."""
    function = parts.function or {}
    return Capacity(
        shards=parts.shards,
        on_demand=parts.on_demand,
        memory=int(function.get("MemorySize", 512)),
        timeout=int(function.get("Timeout", 300)),
        reserved_concurrency=parts.reserved_concurrency,
        parallelization=int((parts.mapping or {}).get("ParallelizationFactor", 1)),
    )


def advise(figures: Figures, capacity: Capacity) -> tuple[Advice, ...]:
    """Apply all rules; without data they return no advice."""
    return tuple(advice for rule in _RULES.values() if (advice := rule.apply(figures, capacity)))


def unchecked_rules(figures: Figures) -> tuple[str, ...]:
    """Return the names of the rules that had no data: that they gave no advice means nothing."""
    return tuple(name for name, rule in _RULES.items() if getattr(figures, rule.figure) is None)


def _shards(figures: Figures, capacity: Capacity) -> Advice | None:
    if capacity.on_demand or not capacity.shards:
        return None
    records, size = figures.records_per_second or 0.0, figures.bytes_per_second or 0.0
    wanted = min(math.ceil(max(records / RECORDS_A_SHARD, size / BYTES_A_SHARD)), MAX_SHARDS)
    if wanted <= capacity.shards:
        return None
    now = min(wanted, 2 * capacity.shards)
    each = f"{records / capacity.shards:,.0f} records/s and {size / capacity.shards / 1024:,.0f} KiB/s a shard"
    rest = f", then {wanted}: Kinesis at most doubles at once" if now < wanted else ""
    return Advice(
        "shards",
        f"{each} in the busiest minute; {RECORDS_A_SHARD:,.0f} records/s or {BYTES_A_SHARD / 1024:,.0f} KiB/s are 80 %",
        f"{capacity.shards} shards -> {now}{rest}",
        "ShardCount",
        str(now),
    )


def _memory(figures: Figures, capacity: Capacity) -> Advice | None:
    limit = TIMEOUT_SHARE * capacity.timeout * 1000
    if figures.duration_ms is None or figures.duration_ms <= limit:
        return None
    reason = f"a call took {figures.duration_ms / 1000:,.0f} s of {capacity.timeout}"
    if capacity.memory >= MAX_MEMORY:
        return Advice("memory", reason, "the memory is at its maximum: reduce EventBatchSize")
    more = min(2 * capacity.memory, MAX_MEMORY)
    return Advice("memory", reason, f"{capacity.memory} MB -> {more} MB", "MemorySize", str(more))


def _errors(figures: Figures, _: Capacity) -> Advice | None:
    if figures.error_rate is None or figures.error_rate <= MAX_ERROR_RATE:
        return None
    reason = f"{figures.error_rate:.1%} of {figures.invocations:,.0f} calls failed; 1 % is the limit"
    return Advice("errors", reason, "investigate: truckstream doctor, then the last errors of truckstream status")


def _uploads(figures: Figures, _: Capacity) -> Advice | None:
    if figures.put_latency_ms is None or figures.put_latency_ms <= MAX_PUT_MS:
        return None
    reason = f"S3 took {figures.put_latency_ms / 1000:,.1f} s to store an object (99th percentile); 5 s are the limit"
    return Advice("uploads", reason, "check the network, the VPC's endpoints and permissions: truckstream doctor")


def _concurrency(figures: Figures, capacity: Capacity) -> Advice | None:
    needed = capacity.shards * capacity.parallelization
    if not figures.throttles:
        return None
    reason = f"{figures.throttles:,.0f} calls were throttled by the concurrency limit"
    if capacity.reserved_concurrency is None or capacity.reserved_concurrency >= needed:
        return Advice(
            "concurrency",
            reason,
            "other functions use up the concurrency of the account: reserve some, or request an increase",
        )
    was = capacity.reserved_concurrency
    return Advice("concurrency", reason, f"reservation {was} -> {needed}", "ReservedConcurrency", str(needed))


@dataclass(frozen=True, slots=True)
class _Rule:
    """A rule, and the figure without which it cannot be checked."""

    figure: str
    apply: Callable[[Figures, Capacity], Advice | None]


_RULES: Final[Mapping[str, _Rule]] = {
    "shards": _Rule("records_per_second", _shards),
    "memory": _Rule("duration_ms", _memory),
    "errors": _Rule("error_rate", _errors),
    "uploads": _Rule("put_latency_ms", _uploads),
    "concurrency": _Rule("throttles", _concurrency),
}
RULE_COUNT: Final = len(_RULES)
