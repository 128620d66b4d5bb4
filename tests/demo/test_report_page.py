"""The page of a demo shows the figures of its report, and no others."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import msgspec
import pytest

from tests.charts.test_output import figures_of
from truckstream.demo.accounting.report import DemoReport, Latency, ShardReport
from truckstream.demo.accounting.timeline import BacklogSample, ShardRate
from truckstream.demo.output_files import save_report
from truckstream.demo.report_page import demo_page


def report_of(shards, *, seconds=5, **changes):
    """Return the report of a run; with no shard and no second, of one that ended before its first record."""
    ids = [f"shardId-{number:012}" for number in range(shards)]
    figures = {
        "records_put": 1_000 * shards * seconds,
        "records_acked": 1_000 * shards * seconds,
        "records_failed": 0,
        "records_stored": 950 * shards * seconds,
        "records_rejected": 50 * shards * seconds,
        "rejected_reasons": {"wrong_type": 30 * shards * seconds, "out_of_range": 20 * shards * seconds}
        if shards
        else {},
        "lost": 0,
        "duplicated": 0,
        "out_of_order": 0,
        "misjudged": 0,
        "foreign": 0,
        "objects": 7 * shards,
        "object_sizes": {700: 6 * shards, 123: shards} if shards else {},
        "request_sizes": {104: 10 * seconds} if shards else {},
        "shards": [ShardReport(shard_id, 998.5, 0.9985) for shard_id in ids],
        "throttled_share": 0.0,
        "seconds": float(seconds),
        "latency_ms": Latency.of([0.1 * number for number in range(100 * shards)]),
        "cpu_us_per_record": 21.5,
        "out": "/data/<out>",
        "seed": 1,
        "shard_rates": [
            ShardRate(shard_id, float(second), second + 1.0, 990.0 + second)
            for shard_id in ids
            for second in range(seconds)
        ],
        "backlog": [BacklogSample(second / 4, 400 + second, 4_000 - second) for second in range(4 * seconds)],
    }
    return DemoReport(**figures | changes)


def page_of(report):
    return demo_page(report, command="truckstream demo", machine="a machine")


def rows_of(report, title):
    (chart,) = (chart for chart in page_of(report).charts if chart.title.startswith(title))
    return chart.rows


def test_the_page_holds_the_report_itself(tmp_path):
    report = report_of(2)
    save_report(report, tmp_path / "r.html", "truckstream demo --shards 2")
    save_report(report, tmp_path / "r.json", "")
    figures = figures_of((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert figures == json.loads((tmp_path / "r.json").read_bytes())
    assert msgspec.convert(figures, DemoReport, strict=False) == report


def test_each_chart_shows_figures_of_the_report():
    report = report_of(2)
    assert [(row["shard"], row["records/s"]) for row in rows_of(report, "Throughput")] == [
        (rate.shard_id, rate.records_per_second) for rate in report.shard_rates
    ]
    assert [row["latency"] * 1000 for row in rows_of(report, "From put")] == pytest.approx(
        report.latency_ms.percentiles
    )
    assert [row["records"] for row in rows_of(report, "Records on their way")] == [
        count for sample in report.backlog for count in (sample.in_producer, sample.in_stream)
    ]
    for title, counts in (("Records in an object", report.object_sizes), ("Records in a Put", report.request_sizes)):
        assert {row["records"]: row["count"] for row in rows_of(report, title)} == counts
    assert {row["reason"]: row["records"] for row in rows_of(report, "Rejected")} == report.rejected_reasons


def test_a_compressed_shard_takes_a_multiple_of_its_quota():
    report = msgspec.structs.replace(report_of(1), shards=[ShardReport("shardId-0", 12_345.0, 12.345)])
    assert "shardId-0: 12,345 records/s, 12.3 times as many as its quota has Kinesis records." in report.summary()
    assert "998 records/s, 99.9% of its quota." in report_of(1).summary()
    assert any("12.3x" in tile.value for tile in page_of(report).tiles)


def test_the_page_shows_the_account():
    report = report_of(2, lost=3)
    page = page_of(report)
    assert dict(page.tables[0].rows)["lost"] == 3
    assert dict(page.tables[0].rows)["rejected: wrong_type"] == report.rejected_reasons["wrong_type"]
    tiles = {tile.label: tile.value for tile in page.tiles}
    assert (tiles["records put"], tiles["lost"], tiles["least full shard, of its quota"]) == ("10,000", "3", "99.9%")


@pytest.mark.parametrize("suffix", [".html", ".svg", ".png"])
@pytest.mark.parametrize("shards", [0, 1, 8])
def test_runs_of_any_size_are_drawn(tmp_path, shards, suffix):
    path = tmp_path / f"r{suffix}"
    save_report(report_of(shards, seconds=shards and 5), path, "truckstream demo")
    assert path.stat().st_size > 5_000
    if suffix == ".svg":
        texts = "".join(ET.parse(path).getroot().itertext())
        assert len(set(re.findall(r"shardId-\d{12}", texts))) == shards


def test_the_image_of_the_readme_names_the_command_that_made_it():
    root = Path(__file__).parents[2]
    readme = (root / "README.md").read_text(encoding="utf-8")
    (image,) = re.findall(r"!\[[^]]*\]\((docs/[^)]*\.svg)\)", readme)
    drawing = ET.parse(root / image).getroot()
    texts = {text.text for text in drawing.iter("{http://www.w3.org/2000/svg}text")}
    (command,) = (text for text in texts if text and text.startswith("truckstream demo "))
    assert f"`{command}`" in readme
    assert (root / image).stat().st_size < 200_000
    assert {chart.title for chart in page_of(report_of(1, rejected_reasons={})).charts} <= texts
