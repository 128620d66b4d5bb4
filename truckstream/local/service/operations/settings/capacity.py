"""The operations that set the capacity of a stream: mode, largest record, warm throughput, record distribution.

An on-demand stream keeps its shards: it does not grow with its traffic, as a stream of the service does within hours.
Warm throughput gives it at least one shard for each MiB a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from truckstream.local.service.errors import RefusedError, invalid, limit_exceeded
from truckstream.local.service.quotas import limits

if TYPE_CHECKING:
    from truckstream.local.service.messages import Request, Response
    from truckstream.local.service.state.account import KinesisAccount
    from truckstream.local.service.state.stream import Stream

__all__ = [
    "check_for_on_demand",
    "update_max_record_size",
    "update_stream_mode",
    "update_stream_record_distribution_strategy",
    "update_stream_warm_throughput",
    "warm",
    "warm_throughput",
]


def update_stream_mode(account: KinesisAccount, request: Request, now: float) -> Response:
    stream = account.changeable(request, now)
    mode = request["StreamModeDetails"]["StreamMode"]
    check_for_on_demand(account, request, mode, now)
    if mode != stream.mode:
        if stream.mode_changes.count(now) >= limits.MODE_CHANGES_A_DAY:
            raise limit_exceeded(
                f"The mode of a stream may be changed {limits.MODE_CHANGES_A_DAY} times in 24 hours; "
                f"stream {stream.name} under account {account.account_id} has reached it."
            )
        stream.mode_changes.add(now)
        stream.mode = mode
        stream.spreads_evenly = False
        stream.warm_mib = None
    if "WarmThroughputMiBps" in request:
        warm(stream, request["WarmThroughputMiBps"], now)
    account.changing(stream, now)
    return None


def update_max_record_size(account: KinesisAccount, request: Request, now: float) -> Response:
    stream = account.changeable(request, now)
    stream.max_record_bytes = request["MaxRecordSizeInKiB"] * limits.KIB
    account.changing(stream, now)
    return None


def update_stream_warm_throughput(account: KinesisAccount, request: Request, now: float) -> Response:
    stream = account.changeable(request, now)
    check_for_on_demand(account, request, stream.mode, now)
    warm(stream, request["WarmThroughputMiBps"], now)
    account.changing(stream, now)
    return {"StreamARN": stream.arn, "StreamName": stream.name, "WarmThroughput": warm_throughput(stream)}


def update_stream_record_distribution_strategy(account: KinesisAccount, request: Request, now: float) -> Response:
    # "[...] the change takes effect immediately": the stream stays ACTIVE.
    stream = account.changeable(request, now)
    check_for_on_demand(account, request, stream.mode, now)
    stream.spreads_evenly = request["RecordDistributionStrategy"] == "AUTO"
    return None


def check_for_on_demand(account: KinesisAccount, request: Request, mode: str, now: float) -> None:
    """Reject settings that require a stream in on-demand mode, or the commitment of the account."""
    if request.get("RecordDistributionStrategy") == "AUTO" and mode != "ON_DEMAND":
        raise invalid("RecordDistributionStrategy AUTO is only supported for streams in ON_DEMAND mode.")
    if "WarmThroughputMiBps" not in request:
        return
    if mode != "ON_DEMAND":
        raise RefusedError("ValidationException", "Warm throughput is only supported for streams in ON_DEMAND mode.")
    if not account.commitment.is_on(now):
        text = "Warm throughput needs an account that has MinimumThroughputBillingCommitment enabled."
        raise RefusedError("ValidationException", text)
    if request["WarmThroughputMiBps"] > limits.WARM_MIB:
        raise invalid(f"WarmThroughputMiBps may be at most {limits.WARM_MIB}.")


def warm(stream: Stream, mib_per_second: int, now: float) -> None:
    """Give `stream` at least one shard for each MiB a second, and never fewer than the four of a new stream."""
    stream.warm_mib = mib_per_second
    count = max(mib_per_second, limits.ON_DEMAND_SHARDS)
    if count != len(stream.open_shards):
        stream.resize(count, now)


def warm_throughput(stream: Stream) -> dict[str, Any]:
    """Return the API's `WarmThroughputObject`."""
    return {"TargetMiBps": stream.warm_mib or 0, "CurrentMiBps": len(stream.open_shards)}
