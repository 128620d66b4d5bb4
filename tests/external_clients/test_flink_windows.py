"""The SQL of the Managed Flink application in a local Flink: the same windows as DuckDB's, late reports dropped.

The source is a file of the stream's records in their order, so that the job ends. Where the connector to Kinesis is to
be had, the source is a stream of truckstream.local: Maven fetches it, or TRUCKSTREAM_FLINK_CONNECTOR is a class path
with it.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import time
from contextlib import contextmanager
from datetime import datetime, timedelta

import duckdb
import pytest

from lambda_entry.flink.main import statements
from tests.cloud.parsed_template import ROOT
from tests.external_clients.installation import CannotInstallError, java_with, or_skipped
from truckstream.cloud.package.flink import CONNECTOR

#: That of the template's runtime.
VERSION = "2.2.0"
FLINK = [
    f"org.apache.flink:{name}:{VERSION}"
    for name in (
        *("flink-clients", "flink-table-api-java-bridge", "flink-table-planner-loader", "flink-table-runtime"),
        *("flink-json", "flink-connector-files"),
    )
]
SQL = (ROOT / "lambda_entry" / "flink" / "windows.sql").read_text(encoding="utf-8")
BEGIN = datetime(2025, 1, 15, 8)  # noqa: DTZ001 - trucks report without a zone
LAST_TRUCK = "LAST"


def reports():
    """Return reports of two minutes in their order in the stream: some are a little late, and some far too late."""
    chance = random.Random(1)
    made = []
    for n in range(600):
        delay = chance.choice([0] * 8 + [chance.randint(1, 4), chance.randint(12, 40)])
        made.append(
            {
                "truck_id": f"TRUCK_{n % 7}",
                "timestamp": f"{BEGIN + timedelta(seconds=n // 5 - delay):%Y-%m-%d %H:%M:%S}",
                "speed": chance.random() * 70,
                "engine_temp": chance.random() * 200,
                "brake_temp": chance.random() * 200,
                "health_status": chance.choice(["NORMAL", "URGENT"]),
            }
        )
    made.insert(50, {"truck_id": "TRUCK_1", "timestamp": "never"})
    # It moves the watermark beyond the windows of the others.
    return [*made, {"truck_id": LAST_TRUCK, "timestamp": f"{BEGIN + timedelta(hours=1):%Y-%m-%d %H:%M:%S}"}]


def records():
    """Return the data of the records, one of which is no JSON."""
    data = [json.dumps(report).encode() for report in reports()]
    return [*data[:60], b"oops", *data[60:]]


def windows_of_duckdb(folder):
    """Return the windows that are due, without the reports that come later than 5 s after the end of their window."""
    path = folder / "reports.json"
    path.write_text("".join(json.dumps(report | {"n": n}) + "\n" for n, report in enumerate(reports())))
    return duckdb.sql(f"""
        WITH reports AS (
            SELECT *, TRY_CAST("timestamp" AS TIMESTAMP) AS reported,
            max(reported) OVER (ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS newest,
            time_bucket(INTERVAL 10 SECOND, reported) AS begin
            FROM read_json('{path}')
        )
        SELECT truck_id, begin, begin + INTERVAL 10 SECOND, count(*), avg(speed), avg(engine_temp), max(engine_temp),
        max(brake_temp), count(*) FILTER (health_status = 'URGENT')
        FROM reports
        WHERE truck_id <> '{LAST_TRUCK}' AND reported IS NOT NULL
        AND (newest IS NULL OR begin + INTERVAL 10 SECOND > newest - INTERVAL 5 SECOND)
        GROUP BY truck_id, begin ORDER BY ALL
    """).fetchall()


def windows_of_flink(folder):
    """Return the windows in the files that are complete."""
    lines = [line for path in folder.glob("part-*") for line in path.read_text().splitlines()]
    rows = [tuple(json.loads(line).values()) for line in lines]
    times = [(truck, *map(datetime.fromisoformat, (begin, end)), *rest) for truck, begin, end, *rest in rows]
    return sorted(row for row in times if row[0] != LAST_TRUCK)


def files_of(folder, sql, **settings):
    """Write each statement into a file, and return the files in order."""
    given = {"stream_arn": "", "region": "", "position": "", "path": folder / "results"} | settings
    found = []
    for n, statement in enumerate(statements(sql, given)):
        found.append(folder / f"{n}.sql")
        found[-1].write_text(statement)
    return found


def check(found, folder):
    expected = windows_of_duckdb(folder)
    assert len(expected) > 80
    assert 540 < sum(row[3] for row in expected) < 600  # some are too late
    assert [row[:4] for row in found] == [row[:4] for row in expected]
    for row, other in zip(found, expected, strict=True):
        assert row[4:] == pytest.approx(other[4:])


@pytest.mark.timeout(500)
def test_flink_has_the_windows_of_duckdb(server, tmp_path):
    with or_skipped("Flink"):
        java = java_with(*FLINK)
    (tmp_path / "records").write_bytes(b"\n".join(records()))
    source = f"'connector' = 'filesystem',\n    'path' = '{tmp_path / 'records'}',"
    sql, count = re.subn(r"'connector' = 'kinesis',.*?'\$\{position\}',", source, SQL, flags=re.DOTALL)
    assert count == 1
    done = server.run(*java, server.program("FlinkSql.java"), *files_of(tmp_path, sql), seconds=200)
    assert done.status == 0, done.err[-3_000:]
    check(windows_of_flink(tmp_path / "results"), tmp_path)


def java_with_connector():
    """Return the command that runs a Java program with Flink and the connector, or skip the test."""
    if path := os.environ.get("TRUCKSTREAM_FLINK_CONNECTOR"):
        *java, jars = java_with(*FLINK)
        return [*java, f"{path}{os.pathsep}{jars}"]
    try:
        return java_with(*FLINK, CONNECTOR)
    except CannotInstallError as error:  # also on CI, because not every mirror of Maven Central has the connector
        pytest.skip(f"Flink's connector cannot be fetched, and TRUCKSTREAM_FLINK_CONNECTOR is not set: {error}")


@contextmanager
def running(command, folder, environment):
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*map(str, command)], cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.timeout(500)
def test_flink_reads_the_local_kinesis_through_its_connector(server, kinesis, tmp_path):
    java = java_with_connector()
    stream = server.new_name()
    kinesis.create_stream(StreamName=stream, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=stream)
    entries = [{"Data": data, "PartitionKey": "one shard"} for data in records()]
    for first in range(0, len(entries), 400):
        sent = kinesis.put_records(StreamName=stream, Records=entries[first : first + 400])
        assert sent["FailedRecordCount"] == 0
    arn = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamARN"]
    endpoint = f"'aws.endpoint' = '{server.endpoint_url}', 'aws.region'"
    sql = SQL.replace("'aws.region'", endpoint).replace("'1 min'", "'1 s'").replace("'10 s'", "'1 s'")
    files = files_of(tmp_path, sql, stream_arn=arn, region=server.region_name, position="TRIM_HORIZON")
    expected = windows_of_duckdb(tmp_path)
    until = time.monotonic() + 120
    with running([*java, server.program("FlinkSql.java"), *files], tmp_path, server.environment) as process:
        while len(windows_of_flink(tmp_path / "results")) < len(expected):
            assert process.poll() is None, (tmp_path / "log").read_text()[-3_000:]
            assert time.monotonic() < until, (tmp_path / "log").read_text()[-3_000:]
            time.sleep(0.5)
        check(windows_of_flink(tmp_path / "results"), tmp_path)
