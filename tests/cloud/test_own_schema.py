"""A schema of your own on ministack: deployed with Parquet, sent to, and read back as a table."""

import json
import time

import duckdb
import pytest

from tests.cloud.ministack import LEAVE_OUT
from tests.cloud.this_machine import ARCHITECTURE, PYTHON

MODULE = """\
import msgspec


class Reading(msgspec.Struct, forbid_unknown_fields=True):
    sensor: int
    celsius: float
    place: str | None
"""
ARGUMENTS = [
    *("--stack", "sensors", "--stream", "readings", "--bucket", "acme-readings", "--include", "my_schema.py"),
    *("--parameter", "Schema=my_schema:Reading", "--parameter", "Format=parquet", "--parameter", "ObjectSize=50"),
    *("--architecture", ARCHITECTURE, "--python", PYTHON),
    *LEAVE_OUT,
]


def put(client, rows):
    """Put readings and records that break the schema; the mapping polls from a moment after the deployment."""
    records = [json.dumps(dict(zip(("sensor", "celsius", "place"), row, strict=True))).encode() for row in rows]
    entries = [{"Data": data, "PartitionKey": str(n)} for n, data in enumerate([*records, b'{"sensor":"x"}'])]
    assert client("kinesis").put_records(StreamName="readings", Records=entries)["FailedRecordCount"] == 0


def objects(client, prefix, folder):
    """Download the objects below a prefix, and return their number."""
    s3 = client("s3")
    rows = s3.list_objects_v2(Bucket="acme-readings", Prefix=prefix).get("Contents", ())
    for row in rows:
        path = folder / row["Key"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(s3.get_object(Bucket="acme-readings", Key=row["Key"])["Body"].read())
    return len(rows)


@pytest.mark.timeout(300)
def test_readings_of_a_users_schema_become_rows(run, client, tmp_path):
    (tmp_path / "my_schema.py").write_text(MODULE)
    done = run("deploy", "--yes", "--json", *ARGUMENTS, timeout=250)
    assert done.returncode == 0, done.stderr + done.stdout
    outputs = json.loads(done.stdout)["outputs"]
    table = client("glue").get_table(DatabaseName=outputs["DatabaseName"], Name="sensor_data")["Table"]
    assert [(row["Name"], row["Type"]) for row in table["StorageDescriptor"]["Columns"]] == [
        ("sensor", "bigint"),
        ("celsius", "double"),
        ("place", "string"),
        ("kinesis_sequence_number", "string"),
        ("kinesis_subsequence_number", "bigint"),
    ]
    assert "parquet" in table["StorageDescriptor"]["SerdeInfo"]["SerializationLibrary"]

    rows = [(n, n / 2, None if n % 3 else "roof") for n in range(120)]
    put(client, rows)
    until = time.monotonic() + 120
    while not objects(client, "rejected/", tmp_path) and time.monotonic() < until:
        time.sleep(0.5)
    assert objects(client, "sensor_data/", tmp_path) >= 1
    stored = duckdb.sql(f"SELECT sensor, celsius, place FROM '{tmp_path}/sensor_data/*.parquet' ORDER BY sensor")
    assert stored.fetchall() == rows
    [rejected] = [json.loads(path.read_text()) for path in tmp_path.glob("rejected/*")]
    assert rejected["data"] == '{"sensor":"x"}'

    without_module = run("deploy", "--yes", "--stack", "sensors", "--parameter", "MemorySize=1024")
    assert without_module.returncode == 2
    assert "Pass --include my_schema.py" in without_module.stderr
