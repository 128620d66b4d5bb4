"""EnableEnhancedMonitoring and DisableEnhancedMonitoring: which shard-level metrics are on. No metric is published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from truckstream.local.service.validation.shapes import SHARD_LEVEL_METRICS

if TYPE_CHECKING:
    from truckstream.local.service.messages import Request, Response
    from truckstream.local.service.state.account import KinesisAccount
    from truckstream.local.service.state.stream import Stream

__all__ = ["disable_enhanced_monitoring", "enable_enhanced_monitoring"]


def enable_enhanced_monitoring(account: KinesisAccount, request: Request, now: float) -> Response:
    stream = account.changeable(request, now)
    return _set(account, stream, {*stream.shard_level_metrics, *_named(request)}, now)


def disable_enhanced_monitoring(account: KinesisAccount, request: Request, now: float) -> Response:
    stream = account.changeable(request, now)
    return _set(account, stream, set(stream.shard_level_metrics) - _named(request), now)


def _named(request: Request) -> set[str]:
    names = set(request["ShardLevelMetrics"])
    return set(SHARD_LEVEL_METRICS) if "ALL" in names else names


def _set(account: KinesisAccount, stream: Stream, wanted: set[str], now: float) -> Response:
    before = stream.shard_level_metrics
    stream.shard_level_metrics = [name for name in SHARD_LEVEL_METRICS if name in wanted]
    account.changing(stream, now)
    return {
        "StreamName": stream.name,
        "CurrentShardLevelMetrics": before,
        "DesiredShardLevelMetrics": stream.shard_level_metrics,
        "StreamARN": stream.arn,
    }
