"""`truckstream demo`, run as a user runs it."""

import fcntl
import json
import os
import re
import signal
import time
from collections import Counter

import pytest

from tests.charts.test_output import figures_of
from tests.commands.support import error_of, run, start
from truckstream.commands.output.results import exit_status
from truckstream.record import REASONS, TruckRecord

KEY = re.compile(r"sensor_data/batch_\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d_[a-z0-9]{8,}\.json")


def clean_report(path):
    """Read the report of a run in which every record was accounted for."""
    report = json.loads(path.read_text())
    assert report["lost"] == report["duplicated"] == report["misjudged"] == report["foreign"] == 0
    assert report["records_put"] == report["records_acked"] == report["records_stored"] + report["records_rejected"]
    return report


def test_the_demo_accounts_for_every_record(tmp_path):
    """With two shards and some invalid records, the report matches the objects in the directory."""
    arguments = ("demo", "--seconds", "2", "--shards", "2", "--invalid", "0.05", "--report", "r.json", "--seed", "7")
    status, out, err = run(*arguments, cwd=tmp_path)
    assert status == 0, err
    report = clean_report(tmp_path / "r.json")
    assert set(report) >= {
        *("records_put", "records_acked", "records_failed", "records_stored", "records_rejected", "lost"),
        *("duplicated", "out_of_order", "objects", "shards", "throttled_share", "seconds", "latency_ms"),
        *("cpu_us_per_record", "out", "seed"),
    }
    assert report["records_put"] > 1_000
    assert report["records_rejected"] == pytest.approx(report["records_put"] * 0.05, rel=0.5)
    assert [set(shard) for shard in report["shards"]] == [{"shard_id", "records_per_second", "quota_share"}] * 2
    assert report["latency_ms"]["p50"] <= report["latency_ms"]["p99"] <= report["latency_ms"]["max"]
    data = tmp_path / "truckstream-data"
    objects = sorted(data.glob("sensor_data/*.json"))
    assert len(objects) == report["objects"]
    assert all(KEY.fullmatch(str(path.relative_to(data))) for path in objects)
    records = [TruckRecord.from_json(line) for path in objects for line in path.read_bytes().splitlines()]
    assert len(records) == report["records_stored"]
    rejected = [json.loads(line) for path in data.glob("rejected/**/*.json") for line in path.read_text().splitlines()]
    assert len(rejected) == report["records_rejected"]
    assert Counter(line["reason"] for line in rejected) == report["rejected_reasons"]
    assert set(report["rejected_reasons"]) <= set(REASONS)
    for reason, count in report["rejected_reasons"].items():
        assert f"{count:,} {reason}" in " ".join(out.split())
    assert sum(int(size) * count for size, count in report["request_sizes"].items()) >= report["records_put"]
    check = out.split("To check them again:\n")[1].splitlines()[0].split()
    status, checked, err = run(*check[1:], "--settle", "0", cwd=tmp_path)
    assert (status, err) == (0, ""), checked
    assert checked.count(" valid and ") == 2
    assert f"{report['records_put']:,} records were put" in out


def test_the_demo_accounts_for_compressed_records(tmp_path):
    options = ("--compression", "zstd", "--trucks", "5000", "--seconds", "1", "--report", "r.json")
    status, _, err = run("demo", *options, cwd=tmp_path)
    assert status == 0, err
    report = clean_report(tmp_path / "r.json")
    assert report["out_of_order"] == 0
    assert max(map(int, report["request_sizes"])) > 500, "more than there are Kinesis records in a request"


def test_the_report_can_be_a_page_with_charts(tmp_path):
    """Its figures are those of the objects, and its charts those of the figures."""
    status, out, err = run("demo", "--seconds", "2", "--rate", "400", "--report", "r <1>.html", cwd=tmp_path)
    assert status == 0, err
    assert "The report is in r <1>.html." in out
    text = (tmp_path / "r <1>.html").read_text(encoding="utf-8")
    figures = figures_of(text)
    lines = [
        line for path in tmp_path.glob("truckstream-data/sensor_data/*.json") for line in path.read_text().splitlines()
    ]
    assert figures["records_stored"] == len(lines) > 100
    assert sum(rate["records_per_second"] * (rate["end"] - rate["start"]) for rate in figures["shard_rates"]) <= len(
        lines
    )
    assert figures["backlog"][-1]["in_producer"] == figures["backlog"][-1]["in_stream"] == 0
    assert text.count("<svg") == 5
    assert "truckstream demo --seconds 2 --rate 400 --report 'r &lt;1&gt;.html'" in text


@pytest.mark.slow
def test_a_second_run_in_the_same_directory_counts_only_its_own_records(tmp_path):
    for name in ("first.json", "second.json"):
        status, _, err = run("demo", "--seconds", "1", "--rate", "300", "--report", name, cwd=tmp_path)
        assert status == 0, err
        clean_report(tmp_path / name)


def test_ctrl_c_drains_the_demo_and_counts_every_record(tmp_path):
    process = start("demo", "--seconds", "300", "--report", "r.json", cwd=tmp_path)
    log = tmp_path / "truckstream-data" / "demo.log"
    for _ in range(200):
        if log.exists() and process.poll() is None and list(tmp_path.glob("truckstream-data/sensor_data/*.json")):
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=40)
    assert process.returncode == 0, err
    assert clean_report(tmp_path / "r.json")["records_put"] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("demo", "--seconds", "0"), "seconds is 0"),
        (("demo", "--shards", "0"), "shards is 0"),
        (("demo", "--invalid", "1.5"), "invalid is 1.5"),
        (("demo", "--out", "/dev/null/x"), "--out cannot be written to"),
        (("demo", "--out", "/proc"), "--out cannot be written to"),
        (("demo", "--report", "no/such/r.json"), "--report is 'no/such/r.json', which cannot be written to"),
        (("demo", "--out", os.fsdecode(b"\xff")), "which is no valid UTF-8"),
        (("demo", "--report", "."), "--report is '.', which cannot be written to"),
    ],
)
def test_an_invalid_option_is_named(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    error = error_of(*arguments)
    assert (exit_status(error), message in str(error)) == (2, True), error


def test_a_second_demo_in_the_same_directory_at_the_same_time_is_an_error(tmp_path):
    """Each would count the other's objects and report duplicated records."""
    held = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    status, _, err = run("demo", "--seconds", "1", "--out", ".", cwd=tmp_path)
    os.close(held)
    assert (status, "where another demo is running" in err) == (2, True), err
