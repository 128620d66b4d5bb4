"""Show a run on the dashboard: the records that the stream acknowledged, and how far the pipeline is with them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from truckstream.dashboard.view.figures.traffic import KinesisShare
from truckstream.dashboard.view.source import ViewSource
from truckstream.demo.accounting.request_sizes import RequestSizes

if TYPE_CHECKING:
    from collections.abc import Callable

    from truckstream.dashboard import FleetView
    from truckstream.demo.display import DemoSnapshot
    from truckstream.demo.options import DemoOptions
    from truckstream.producer import BatchSent, RecordsAcknowledged, RecordsThrottled

__all__ = ["DashboardFeed", "demo_source"]


def demo_source(options: DemoOptions) -> ViewSource:
    """Return the source of a view of a run."""
    shards = f"{options.shards:,} shard{'s' * (options.shards > 1)}"
    lapse = "" if options.time_lapse == 1.0 else f", {options.time_lapse:g} times as fast"
    return ViewSource(
        title=f"demo: {options.trucks:,} trucks, {shards}{lapse}",
        kind="demo",
        known=frozenset({"shards", "bytes", "throttles", "latency", "lag"}),
        meanings={"throttles": "sends", "lag": "records not processed yet"},
    )


class DashboardFeed(RequestSizes):
    """Watches the producer of a run for a view, and counts its requests as every run does.

    Args:
        view: the view to fill.
        clock: the time in seconds since the epoch.
    """

    def __init__(self, view: FleetView, clock: Callable[[], float]) -> None:
        super().__init__()
        self._view = view
        self._clock = clock
        #: The bytes of a Kinesis record, by the last request. Which shard's are larger, the producer does not report.
        self._kinesis_bytes = 0.0

    def batch_sent(self, event: BatchSent) -> None:
        super().batch_sent(event)
        self._kinesis_bytes = event.bytes / event.kinesis_records

    def records_acknowledged(self, event: RecordsAcknowledged) -> None:
        now = self._clock()
        members = Counter(delivery.response for delivery in event.deliveries)
        for delivery in event.deliveries:
            response = delivery.response
            shard_id = response.shard_id if response else None
            share = self._share(members[response]) if response else None
            self._view.observe(delivery.data, delivery.partition_key, shard_id, now, now, share)

    def _share(self, members: int) -> KinesisShare | None:
        """Return the share of one of the records that got the same response: they are one Kinesis record."""
        return None if members == 1 else KinesisShare(1 / members, self._kinesis_bytes / members)

    def records_throttled(self, event: RecordsThrottled) -> None:
        for shard_id, records in event.shards.items():
            self._view.traffic.count_throttled(shard_id, records, self._clock())

    def show(self, snapshot: DemoSnapshot) -> None:
        """Show the figures of the function and its objects."""
        self._view.set_latency(snapshot.latency)
        # The function's count can be ahead of the acknowledgements that are on their way back to the producer.
        self._view.set_lag(max(0, snapshot.producer.acked - snapshot.processed))
