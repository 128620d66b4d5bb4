"""What a fault that strikes does to the service: the words of its errors, and what happens to a stream."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from truckstream.local.protocol.protocol import ServiceResponse, refuse
from truckstream.local.service.errors import RecordRefusal, RefusedError, rate_exceeded_text

if TYPE_CHECKING:
    from random import Random

    from truckstream.local.faults.fault import Fault
    from truckstream.local.faults.injector import FaultInjector
    from truckstream.local.service.state.account import KinesisAccount, RecordFault
    from truckstream.local.service.state.shard import LocalShard
    from truckstream.local.service.state.stream import Stream

__all__ = ["answer_instead", "error_of", "happen", "record_striker"]

# --- One record -----------------------------------------------------------------------------------


def record_striker(injector: FaultInjector, operation: str, account_id: str, now: float) -> RecordFault:
    """Return the function that decides which records of one request fail."""

    def strike(stream: Stream, shard: LocalShard) -> RecordRefusal | None:
        kind = injector.on_record(operation, shard.shard_id, now)
        if kind is None:
            return None
        if kind == "throttle":
            text = rate_exceeded_text(shard.shard_id, stream.name, account_id)
            return RecordRefusal("ProvisionedThroughputExceededException", text, is_stored=False)
        return RecordRefusal("InternalFailure", "Internal service failure.", kind == "internal-failure-after")

    return strike


# --- One request ----------------------------------------------------------------------------------


def answer_instead(
    fault: Fault, operation: str, account: KinesisAccount, stream_name: str, content_type: str
) -> ServiceResponse | None:
    """What answers the request in place of the service; None when the fault lets it be carried out."""
    if fault.kind == "error-before":
        return error_of(fault, content_type)
    if fault.kind == "access-denied":
        arn = f"arn:aws:kinesis:{account.region}:{account.account_id}:stream/{stream_name}"
        text = (
            f"User: arn:aws:iam::{account.account_id}:user/local is not authorized to perform: kinesis:{operation} on "
            f"resource: {arn} because no identity-based policy allows the kinesis:{operation} action"
        )
        return refuse(RefusedError("AccessDeniedException", text), content_type)
    if fault.kind == "expired-token":
        text = "The security token included in the request is expired"
        return refuse(RefusedError("ExpiredTokenException", text), content_type)
    if fault.kind == "limit-exceeded":
        text = f"Rate exceeded for stream {stream_name} under account {account.account_id}."
        return refuse(RefusedError("LimitExceededException", text), content_type)
    return None


def error_of(fault: Fault, content_type: str) -> ServiceResponse:
    """The answer of error-before and error-after, to a request in this encoding."""
    status = fault.status or 500
    if (reason := _PROXY_REASONS.get(status)) is not None:
        page = f"<html><head><title>{status} {reason}</title></head><body><h1>{status} {reason}</h1></body></html>"
        return ServiceResponse(status, page.encode(), "text/html")
    return refuse(RefusedError("InternalFailure" if status == 500 else "ServiceUnavailable", ""), content_type)  # noqa: PLR2004


#: What a load balancer says that has no answer from the service.
_PROXY_REASONS: Final = {502: "Bad Gateway", 504: "Gateway Time-out"}


# --- The stream -----------------------------------------------------------------------------------


def happen(fault: Fault, random: Random, account: KinesisAccount, stream_name: str, now: float) -> bool:
    """Let it happen to the stream; whether it did, which it cannot while the stream is missing or changes."""
    stream = account.known(stream_name, now)
    if stream is None or stream.status(now) != "ACTIVE":
        return False
    return _EVENTS[fault.kind](fault, random, account, stream, now)


def _split(fault: Fault, random: Random, account: KinesisAccount, stream: Stream, now: float) -> bool:
    wide = [shard for shard in _chosen(fault, stream) if shard.hash_range.start + 1 < _middle(shard)]
    if not wide:
        return False
    shard = random.choice(wide)
    stream.split(shard, _middle(shard), now)
    account.changing(stream, now)
    return True


def _middle(shard: LocalShard) -> int:
    return (shard.hash_range.start + shard.hash_range.end + 1) // 2


def _merge(fault: Fault, random: Random, account: KinesisAccount, stream: Stream, now: float) -> bool:
    chosen = _chosen(fault, stream)
    pairs = [(low, high) for low, high in pairwise(chosen) if low.hash_range.end + 1 == high.hash_range.start]
    if not pairs:
        return False
    stream.merge(*random.choice(pairs), now)
    account.changing(stream, now)
    return True


def _chosen(fault: Fault, stream: Stream) -> list[LocalShard]:
    return [shard for shard in stream.open_shards if not fault.shards or shard.shard_id in fault.shards]


def _delete(fault: Fault, random: Random, account: KinesisAccount, stream: Stream, now: float) -> bool:  # noqa: ARG001
    stream.transition("DELETING", now + account.transition_seconds)
    return True


def _recreate(fault: Fault, random: Random, account: KinesisAccount, stream: Stream, now: float) -> bool:  # noqa: ARG001
    count = len(stream.open_shards)
    stream.transition("DELETING", now)
    account.known(stream.name, now)  # its deletion is complete
    account.create(stream.name, count, stream.mode, now)
    return True


_EVENTS: Final = {"split": _split, "merge": _merge, "delete": _delete, "recreate": _recreate}
