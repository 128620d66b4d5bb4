"""Optional parts of the pipeline on ministack: the compaction makes one file of an hour, and Flink has its settings."""

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from tests.batcher.support import record, truck
from tests.cloud.ministack import CANNOT_CREATE, session
from tests.cloud.this_machine import ARCHITECTURE, PYTHON
from truckstream.batcher import Batcher
from truckstream.cloud.aws_account import Account
from truckstream.cloud.deployment.deploy import DeployOptions, deploy
from truckstream.cloud.deployment.destroy import destroy
from truckstream.cloud.deployment.template.template_text import read_template
from truckstream.cloud.package import build

RECORDS = 300
OBJECTS = 6


@pytest.fixture
def any_python(monkeypatch):
    """Allow this machine's Python, also 3.11: its C library is newer than that of Lambda's python3.11."""
    monkeypatch.setitem(build._GLIBC, PYTHON, "2_28")
    template = read_template().replace("!Equals [!Ref Runtime, python3.11]", "!Equals [!Ref Runtime, none]")
    monkeypatch.setattr("truckstream.cloud.deployment.deploy.read_template", lambda: template)


@pytest.fixture
async def account(ministack_url):
    async with Account(region_name="us-east-1", endpoint_url=ministack_url, session=session()) as opened:
        yield opened


async def fill(bucket, endpoint_url):
    """Store objects of an hour that is over."""
    arrival = (datetime.now(UTC) - timedelta(hours=3)).replace(minute=10).timestamp()
    batcher = Batcher(f"s3://{bucket}", region_name="us-east-1", endpoint_url=endpoint_url)
    for first in range(0, RECORDS, RECORDS // OBJECTS):
        numbers = range(first, first + RECORDS // OBJECTS)
        assert (await batcher.process([record(truck(n), n, arrival=arrival + n) for n in numbers])).stored


async def call(account, function):
    response = await account.call("lambda", "invoke", FunctionName=function, Payload=b"{}")
    payload = json.loads(await response["Payload"].read())
    assert "FunctionError" not in response, payload
    return payload


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("any_python")
async def test_the_deployed_function_compacts_an_hour(account, ministack_url, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    (tmp_path / "connector.jar").write_bytes(b"jar")
    parameters = {"StreamName": "compacted-stream", "CreateCompaction": "true", "CompactionTargetSize": "2000000"}
    options = DeployOptions(
        "packed",
        parameters=parameters | {"CreateFlink": "true"},
        architecture=ARCHITECTURE,
        python=PYTHON,
        leave_out=CANNOT_CREATE,
        connector=tmp_path / "connector.jar",
    )
    outputs = (await deploy(account, options, poll=0.05)).outputs
    bucket, function = outputs["BucketName"], outputs["CompactionFunctionName"]
    await check_resources(account, function)
    await check_flink(account, outputs["FlinkApplicationName"], bucket)
    await fill(bucket, ministack_url)

    done = await call(account, function)
    assert done == {"files": 1, "objects": OBJECTS, "records": RECORDS, "left_out": 0}
    [path] = await files(account, bucket, tmp_path)
    trucks = [f"TRUCK_{n:03}" for n in range(RECORDS)]
    assert duckdb.sql(f"SELECT truck_id FROM '{path}'").fetchall() == [(name,) for name in sorted(trucks)]
    assert (await call(account, function))["files"] == 0
    await destroy(account, "packed", delete_data=True, poll=0.05)


async def check_resources(account, function):
    """The schedule calls the function, which has the settings of the stack, and a role without the right to delete."""
    found = await account.call("lambda", "get_function_configuration", FunctionName=function)
    variables = found["Environment"]["Variables"]
    assert (variables["TARGET_SIZE"], variables["HOURS"], variables["SCHEMA"]) == ("2000000", "24", "truck")
    assert (found["Timeout"], found["MemorySize"], found["EphemeralStorage"]) == (900, 3008, {"Size": 4096})
    [rule] = (await account.call("events", "list_rules", NamePrefix="packed-CompactionRule"))["Rules"]
    [target] = (await account.call("events", "list_targets_by_rule", Rule=rule["Name"]))["Targets"]
    assert (rule["ScheduleExpression"], rule["State"]) == ("cron(30 * * * ? *)", "ENABLED")
    assert target["Arn"] == found["FunctionArn"]
    policy = json.loads((await account.call("lambda", "get_policy", FunctionName=function))["Policy"])
    [statement] = policy["Statement"]
    assert statement["Condition"]["ArnLike"]["AWS:SourceArn"] == rule["Arn"]


async def check_flink(account, name, bucket):
    found = (await account.call("kinesisanalyticsv2", "describe_application", ApplicationName=name))[
        "ApplicationDetail"
    ]
    assert (found["ApplicationStatus"], found["RuntimeEnvironment"]) == ("READY", "FLINK-2_2")
    configuration = found["ApplicationConfigurationDescription"]
    code = configuration["ApplicationCodeConfigurationDescription"]["CodeContentDescription"]
    where = code["S3ApplicationCodeLocationDescription"]
    zips = where["BucketARN"].removeprefix("arn:aws:s3:::")
    body = (await account.call("s3", "get_object", Bucket=zips, Key=where["FileKey"]))["Body"]
    with zipfile.ZipFile(io.BytesIO(await body.read())) as opened:
        assert {"main.py", "windows.sql"} < set(opened.namelist())
    groups = configuration["EnvironmentPropertyDescriptions"]["PropertyGroupDescriptions"]
    settings = {group["PropertyGroupId"]: group["PropertyMap"] for group in groups}
    assert settings["truckstream"]["path"] == f"s3a://{bucket}/stream_windows/"


async def files(account, bucket, folder):
    """Download the compacted files, and return their paths."""
    rows = (await account.call("s3", "list_objects_v2", Bucket=bucket, Prefix="compacted/"))["Contents"]
    paths = []
    for row in rows:
        if row["Key"].endswith(".parquet"):
            path = folder / row["Key"].rpartition("/")[2]
            body = (await account.call("s3", "get_object", Bucket=bucket, Key=row["Key"]))["Body"]
            path.write_bytes(await body.read())
            paths.append(path)
    return paths
