"""The report of a run as a page of charts. Each chart shows figures of the report, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from truckstream.charts import Axis, Page, Table, Tile, bars, histogram, lines, panels
from truckstream.demo.accounting.report import FULL_OBJECT, share_of_quota
from truckstream.kinesis.limits import MAX_RECORDS_PER_REQUEST, SHARD_RECORDS_PER_SECOND

if TYPE_CHECKING:
    from truckstream.charts import Chart
    from truckstream.demo.accounting.report import DemoReport

__all__ = ["demo_page"]

TIME = "since the first put, s"


def demo_page(report: DemoReport, *, command: str, machine: str) -> Page:
    """Return the page of a run that `command` started."""
    charts = [
        _throughput(report),
        _latency(report),
        _backlog(report),
        _sizes(
            "Records in an object",
            report.object_sizes,
            what="objects",
            caption=f"A batch of the function makes objects of {FULL_OBJECT} records and one of the rest; rejected "
            f"records count towards the {FULL_OBJECT} of their object.",
        ),
        _sizes(
            "Records in a PutRecords request",
            report.request_sizes,
            what="requests",
            caption=f"{MAX_RECORDS_PER_REQUEST} at most, or as many compressed records, each of which holds many. "
            "Small ones spread a shard's quota evenly over each second.",
        ),
    ]
    if report.rejected_reasons:
        charts.append(_rejected(report))
    return Page(
        title="truckstream demo",
        subtitle=command,
        tiles=_tiles(report),
        charts=charts,
        tables=[Table("The account", ["", "records"], _account(report))],
        about=report.summary().splitlines(),
        colophon=f"{machine}. The objects are in {report.out}.",
        figures=msgspec.to_builtins(report, str_keys=True),
    )


def _throughput(report: DemoReport) -> Chart:
    return panels(
        f"Throughput of each shard; dashed: its quota of {SHARD_RECORDS_PER_SECOND:,} records/s",
        [
            {
                "time": (rate.start + rate.end) / 2,
                "records/s": rate.records_per_second,
                "shard": rate.shard_id,
                "of the quota": rate.records_per_second / SHARD_RECORDS_PER_SECOND,
            }
            for rate in report.shard_rates
        ],
        x=Axis("time", TIME, ",.1f"),
        y=Axis("records/s", "records/s", ",.0f"),
        panel="shard",
        limit=SHARD_RECORDS_PER_SECOND,
        caption="Acknowledged records. A shard that was idle takes a burst of one more second's records at the start.",
    )


def _latency(report: DemoReport) -> Chart:
    found = report.latency_ms
    return lines(
        "From put to object",
        [{"latency": ms / 1000, "share": share / 100} for share, ms in enumerate(found.percentiles)],
        x=Axis("latency", "latency, s", ",.2f"),
        y=Axis("share", "share of the records within it", ".0%"),
        caption=f"50% within {found.p50 / 1000:.2f} s, 90% within {found.p90 / 1000:.2f} s, 99% within "
        f"{found.p99 / 1000:.2f} s, all within {found.max / 1000:.2f} s. The function waits up to 5 s for a batch.",
        half=True,
    )


def _backlog(report: DemoReport) -> Chart:
    return lines(
        "Records on their way",
        [
            {"time": sample.seconds, "records": count, "where": where}
            for sample in report.backlog
            for where, count in (("in the producer", sample.in_producer), ("in the stream", sample.in_stream))
        ],
        x=Axis("time", TIME, ",.1f"),
        y=Axis("records", "records", ",.0f"),
        series="where",
        caption="In the producer: buffered or in flight. In the stream: not processed by the function yet.",
        half=True,
    )


def _sizes(title: str, counts: dict[int, int], *, what: str, caption: str) -> Chart:
    return histogram(
        title,
        [{"records": size, "count": count} for size, count in counts.items()],
        size=Axis("records", "records", ",.0f"),
        count=Axis("count", what, ",.0f"),
        step=50,
        caption=caption,
        half=True,
    )


def _rejected(report: DemoReport) -> Chart:
    return bars(
        "Rejected records by reason",
        [{"reason": reason, "records": count} for reason, count in report.rejected_reasons.items()],
        name="reason",
        value=Axis("records", "records", ",.0f"),
        caption="Each is stored under rejected/ with its reason and its bytes.",
    )


def _tiles(report: DemoReport) -> list[Tile]:
    least_full = min((shard.quota_share for shard in report.shards), default=0.0)
    return [
        Tile("records put", f"{report.records_put:,}"),
        Tile("lost", f"{report.lost:,}"),
        Tile("duplicated", f"{report.duplicated:,}"),
        Tile("least full shard, of its quota", share_of_quota(least_full)),
        Tile("put to object, 99% within", f"{report.latency_ms.p99 / 1000:.1f} s"),
        Tile("CPU time a record", f"{report.cpu_us_per_record:.1f} µs"),
    ]


def _account(report: DemoReport) -> list[tuple[str, int]]:
    return [
        ("put", report.records_put),
        ("acknowledged", report.records_acked),
        ("failed", report.records_failed),
        ("stored", report.records_stored),
        ("rejected", report.records_rejected),
        *((f"rejected: {reason}", count) for reason, count in report.rejected_reasons.items()),
        ("lost", report.lost),
        ("duplicated", report.duplicated),
        ("out of order", report.out_of_order),
        ("stored in the wrong place", report.misjudged),
        ("never put", report.foreign),
    ]
