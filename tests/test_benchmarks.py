"""The benchmarks start, and name a package or program that is missing."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.charts.test_output import figures_of

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
SCRIPTS = sorted(path.name for path in BENCHMARKS.glob("*.py"))


def python(*arguments):
    return subprocess.run([sys.executable, *arguments], cwd=BENCHMARKS, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_benchmark_finds_its_imports_and_prints_its_help(script):
    done = python(script, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "--json" in done.stdout
    assert "--html" in done.stdout


def test_a_missing_uv_is_named():
    without_uv = "shutil.which = lambda *_, **__: None"
    done = python("-c", f"import shutil; {without_uv}; import support.prerequisites; support.prerequisites.find_uv()")
    assert done.returncode == 1
    assert done.stderr.startswith("This benchmark needs uv")


def test_a_missing_package_is_named():
    done = python("-c", "import support.prerequisites; import no_such_package")
    assert done.returncode == 1
    assert done.stderr.startswith("This benchmark needs the package no_such_package, which is not installed.\n")


# --- The page with charts ---------------------------------------------------------------------------

READER = {"records": 9, "cpu_us_per_record": 2.5, "records_per_second": 900.0, "peak_mib": 90.0}
FAILED = {"error": "did not end within 9 s"}
LOOP = {"callback_ms": 2.1, "turn_ms": 3.4}
COURSE = [
    {"shard_id": f"shardId-{shard:012}", "start": second, "end": second + 1, "records_per_second": 999.5}
    for shard in range(8)
    for second in range(3)
]
#: Script -> the arguments of its `charts`, with the shape of the figures that it publishes, and the titles that follow.
SAMPLES = {
    "batcher.py": (
        [
            [
                {"handler": "truckstream", "question": "encode", **READER},
                {"handler": "json + boto3", "question": "encode", **FAILED},
                {"handler": "truckstream", "question": "deliver", "latency": 0.02, **READER},
            ]
        ],
        ["From event to encoded objects", "From event to S3, 20 ms a PUT"],
    ),
    "cold_start.py": (
        [
            [
                {"handler": "truckstream", "bytecode": True, "start_cpu_ms": 100.0, "call_cpu_ms": 6.0},
                {"handler": "truckstream", "bytecode": False, **FAILED},
            ]
        ],
        ["CPU time of the start", "CPU time of the first call"],
    ),
    "compaction.py": (
        [
            [
                {
                    "kind": "ndjson",
                    "before": {"each truck": {"bytes": 9_000_000}, "one truck": {"bytes": 9_000_000}},
                    "after": {"each truck": {"bytes": 80_000}, "one truck": {"bytes": 40_000}},
                }
            ]
        ],
        ["MB read from ndjson"],
    ),
    "compression.py": (
        [
            [
                {
                    "form": "compressed",
                    "records_per_second": 18_906,
                    "dollars": 0.68,
                    "cpu_us_per_record": 14.1,
                    "function_cpu_us_per_record": 8.0,
                    "linger_0.1_s_p99_ms": 81,
                    "linger_1_s_p99_ms": 80,
                }
            ]
        ],
        [
            *("Through one shard", "A month of 1,000 records/s", "CPU time in the producer"),
            *("CPU time in the function", "From put to acknowledgement, 99 % within"),
        ],
    ),
    "consumers.py": (
        [
            [{"reader": "truckstream", **READER}, {"reader": "KCL", **FAILED}],
            [{"shards": 4, "fan_out": True, "quota_share": 1.001}],
        ],
        ["CPU time of reading a record", "How much of the read quota one consumer reads"],
    ),
    "dashboard.py": (
        [[{"trucks": 1_000, "server_cpu": 0.31, "browser_cpu": 0.2, "frames_per_second": 30.0}]],
        ["Share of a core that the dashboard takes"],
    ),
    "fleet.py": (
        [[{"case": "once", "records_per_cpu_second": {"min": 1.0, "median": 2.0, "max": 3.0}}]],
        ["Records that the fleet makes in a second of CPU time"],
    ),
    "local.py": (
        [[{"server": "moto", "cpu_us_per_record": 227.0, "memory_bytes_per_record": 1_647}]],
        ["CPU time a record of each server", "Memory a record of each server"],
    ),
    "longest_callback.py": ([[{"event": "deadline", **LOOP}]], ["How long the producer holds the event loop"]),
    "opening.py": (
        [[{"producers": 1, **LOOP}, {"producers": 99, **LOOP}]],
        ["How long opening holds the event loop"],
    ),
    "outage.py": (
        [[{"memory": "resident", "memory_course": [[0.0, 0.1], [0.5, 50.5]]}], 64, 60.0],
        ["Memory of a producer in an outage"],
    ),
    "producers.py": (
        [
            [
                {"contestant": "truckstream plain", "latency": 0.0, "tls": False, **READER},
                {"contestant": "aiokpl plain", "latency": 0.0, "tls": False, **FAILED},
                {"contestant": "truckstream plain", "latency": 0.02, "tls": True, **READER},
            ]
        ],
        ["CPU time a record: 0 ms, no TLS", "CPU time a record: 20 ms, TLS"],
    ),
    "query.py": (
        [[{"format": "ndjson", "way": "truckstream", "cpu_seconds": 3.1}]],
        ["A question to a million records: ndjson"],
    ),
    "reading_client.py": (
        [[{"contestant": "aiobotocore get_records", "cpu_us_per_record": 28.4}]],
        ["CPU time of reading a record"],
    ),
    "shard_fill.py": (
        [[{"shards": 8, "shard_rates": [COURSE, COURSE]}]],
        [f"Throughput of 8 shards by producer {number}; dashed: the quota of a shard" for number in (1, 2)],
    ),
    "shard_fill.py --peers": (
        [[{"contestant": "boto3", "shards": 1, "quota_share": 1.017, "wasted_share": 0.753}]],
        ["Stored, 1 shard", "Throttled, 1 shard"],
    ),
    "stream_sql.py": ([[{"case": "per truck, final", **READER}]], ["CPU time a record of a query"]),
    "throttled_shard.py": (
        [[{"case": "half", "records_per_second": 499.0, "best": 500.0, "throttled_share": 0.02}]],
        ["Delivered through the shard", "Throttled"],
    ),
    "verify.py": (
        [
            [
                {"flags": ["--quick"], "objects": 1_000, "seconds": 0.8, "peak_mib": 55},
                {"flags": [], "objects": 1_000, "seconds": 1.3, "peak_mib": 95},
            ]
        ],
        ["How long verify takes", "Peak memory of verify"],
    ),
    "windows.py": (
        [[{"way": "truckstream", "cpu_us_per_record": 2.9}, {"way": "DuckDB", "cpu_us_per_record": 9.1}]],
        ["CPU time of a record in windows"],
    ),
}


def test_every_benchmark_has_charts():
    assert {name.split()[0] for name in SAMPLES} == set(SCRIPTS)


@pytest.mark.parametrize("script", SAMPLES)
def test_the_charts_of_a_benchmark_are_drawn(script, tmp_path):
    arguments, titles = SAMPLES[script]
    module = script.split(".")[0]
    code = (
        f"import json, pathlib, {module} as script; from truckstream.charts import Page, write_page;"
        f"charts = script.charts(*json.loads({json.dumps(arguments)!r}));"
        f"write_page(Page(title='', charts=charts), pathlib.Path({str(tmp_path / 'r.html')!r}));"
        "print(json.dumps([chart.title for chart in charts]))"
    )
    done = python("-c", code)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == titles
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert text.count("<svg") == len(titles)
    assert "nothing was measured" not in text
    assert "NaN" not in text


def test_the_page_of_a_benchmark_holds_the_figures_of_its_json(tmp_path):
    files = (f"--{kind}={tmp_path / kind}.{kind}" for kind in ("json", "html"))
    done = python("fleet.py", "--records", "500", "--runs", "1", *files)
    assert (done.returncode, done.stderr) == (0, "")
    text = (tmp_path / "html.html").read_text(encoding="utf-8")
    figures = figures_of(text)
    assert figures == json.loads((tmp_path / "json.json").read_text())
    medians = [row["records_per_cpu_second"]["median"] for row in figures["rows"]]
    assert [f"{median:,.0f}" for median in medians] == re.findall(r">records a CPU-second: ([\d,]+)", text)
    assert "How many records does the fleet make in a second of CPU time?</h1>" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "arguments", "charts"),
    [
        ("shard_fill.py", ["--seconds", "1", "--shards", "2"], 1),
        ("outage.py", ["--seconds", "1", "--shards", "1", "--buffer-mib", "4"], 1),
        ("longest_callback.py", ["--records", "500", "--only", "acknowledged"], 1),
        ("reading_client.py", ["--pages", "1", "--rounds", "1", "--records", "100"], 1),
        ("opening.py", ["--producers", "3"], 1),
        ("batcher.py", ["--quick", "--seconds", "0.1", "--only", "truckstream"], 2),
        ("cold_start.py", ["--runs", "1", "--only", "truckstream"], 2),
        ("consumers.py", ["--only", "readers", "--readers", "batch", "--rounds", "1", "--seconds", "1"], 1),
        ("local.py", ["--seconds", "0.2", "--shards", "20"], 2),
    ],
)
def test_a_benchmark_draws_what_it_has_measured(script, arguments, charts, tmp_path):
    """The samples above have the shape of the figures that the scripts publish."""
    done = python(script, *arguments, "--html", tmp_path / "r.html")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert text.count("<svg") == charts
    assert "nothing was measured" not in text
    assert "{" not in text[text.index("<table") : text.index("</section>", text.rindex("<table"))], "a cell is a figure"
    figures, sampled = figures_of(text), SAMPLES[script][0][0]
    published = figures.get("rows") or figures["readers"]
    assert all(set(sampled[0]) <= set(row) | {"records_per_second", "peak_mib", "records"} for row in published)


def test_a_file_that_is_no_page_is_refused_before_anything_is_measured():
    done = python("fleet.py", "--html", "figures.txt")
    assert done.returncode == 2
    assert "Choose a file that ends with .html, .svg or .png" in done.stderr
