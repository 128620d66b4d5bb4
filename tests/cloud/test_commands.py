"""The commands on ministack: they deploy a pipeline, which carries records, and remove it.

ministack creates the resources of the stack and runs the function, so that these tests see names, outputs, events and
records. It ignores the encryption of streams, lifecycle rules, and the shard count of an update; the tests of the
template check these.
"""

import json
import shlex
import time

import pytest

from tests.cloud.ministack import CANNOT_CREATE, LEAVE_OUT
from tests.cloud.this_machine import PYTHON
from tests.sample_record import DESCRIBED


@pytest.fixture
def run_json(run):
    """Run a command with --json, check its exit status, and return the document."""

    def run_json(*arguments, status=0):
        done = run(*arguments, "--json")
        assert done.returncode == status, done.stderr + done.stdout
        return json.loads(done.stdout)

    return run_json


def stacks(client):
    rows = client("cloudformation").describe_stacks()["Stacks"]
    return {row["StackName"]: row["StackStatus"] for row in rows if row["StackStatus"] != "DELETE_COMPLETE"}


def stored_records(client, bucket):
    s3 = client("s3")
    rows = s3.list_objects_v2(Bucket=bucket, Prefix="sensor_data/").get("Contents", ())
    bodies = [s3.get_object(Bucket=bucket, Key=row["Key"])["Body"].read() for row in rows]
    return [line for body in bodies for line in body.splitlines()]


#: A record of a truck that sends nothing else.
REPORT = json.dumps(DESCRIBED | {"truck_id": "TRUCK_NEW"}, separators=(",", ":")).encode()

MACHINE = ("--architecture", "x86_64", "--python", PYTHON)


def test_a_dry_run_shows_the_plan_and_leaves_nothing(run, client):
    done = run("deploy", "--stack", "dry", "--dry-run", *LEAVE_OUT)
    assert done.returncode == 0, done.stderr
    assert "Stack dry would be created:" in done.stdout
    assert "+ Function  AWS::Lambda::Function" in done.stdout
    assert "dry" not in stacks(client)
    assert client("s3").list_buckets()["Buckets"] == []


def test_without_a_terminal_the_command_requires_yes(run, client):
    """It cannot ask for confirmation, so it fails, and leaves neither change set nor stack."""
    done = run("provision", "--stack", "unconfirmed")
    assert done.returncode == 2
    assert "pass --yes" in done.stderr
    assert "unconfirmed" not in stacks(client)


@pytest.mark.timeout(400)
def test_the_life_of_a_pipeline(run, run_json, client):
    """Provision, deploy, store records, read the status, change a parameter, destroy, and deploy onto what is kept."""
    check_provision(run_json)
    check_deploy(run_json, client)
    count = check_records(run, client)
    check_status_doctor_and_scale(run, run_json)
    check_update(run, run_json, client)
    again = check_destroy(run, run_json, client, count)
    check_adoption(run_json, client, again)


def check_provision(run_json):
    result = run_json("provision", "--yes", "--bucket", "acme-truck-data", "--stream", "trucks")
    assert result["done"] is True
    names = {name: result["outputs"].get(name) for name in ("BucketName", "StreamName", "FunctionName")}
    assert names == {"BucketName": "acme-truck-data", "StreamName": "trucks", "FunctionName": None}


def check_deploy(run_json, client):
    outputs = run_json("deploy", "--yes", *MACHINE, *LEAVE_OUT, "--email", "a@example.com")["outputs"]
    assert (outputs["FunctionName"], outputs["BucketName"]) == ("truckstream", "acme-truck-data")
    assert outputs["StreamArn"].endswith(":stream/trucks")
    function = client("lambda").get_function_configuration(FunctionName="truckstream")
    handler = "lambda_entry.handler.lambda_handler"
    assert (function["MemorySize"], function["Timeout"], function["Handler"]) == (512, 300, handler)
    assert sids_of(client("iam"), function["Role"]) >= {"ReadTheStream", "CreateAndLookAtObjects"}
    assert not sids_of(client("iam"), function["Role"]) & {"UseTheKey", "UseKeys", "LiveInTheVpc"}
    mapping = client("lambda").get_event_source_mapping(UUID=outputs["MappingId"])
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert (mapping["BatchSize"], mapping["MaximumRecordAgeInSeconds"]) == (4900, 72000)


def sids_of(iam, role):
    """Return the names of the statements of a role; conditions of the template leave some out."""
    name = role.rpartition("/")[2]
    [policy] = iam.list_role_policies(RoleName=name)["PolicyNames"]
    document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
    return {statement["Sid"] for statement in document["Statement"]}


def check_records(run, client):
    put = run("simulate", "--stream", "trucks", "--seconds", "1", "--rate", "200", "--trucks", "5")
    assert put.returncode == 0, put.stderr
    count = int(put.stdout.split(" acknowledged")[0].split()[-1].replace(",", ""))
    until = time.monotonic() + 40
    while len(records := stored_records(client, "acme-truck-data")) < count and time.monotonic() < until:
        time.sleep(0.5)
    assert len(records) == len(set(records)) == count > 0
    return count


def check_status_doctor_and_scale(run, run_json):
    page = run_json("status")
    assert (page["name"], page["region"], page["stack"]) == ("truckstream", "us-east-1", "UPDATE_COMPLETE")
    assert (page["stream"]["StreamName"], page["problems"]) == ("trucks", [])
    assert page["function"]["Runtime"] == f"python{PYTHON}"
    assert page["objects"][0]["key"].startswith("sensor_data/batch_")
    assert (len(page["alarms"]), page["unread"]) == (7, [])
    # ministack encrypts no stream, its mappings report no events, and it simulates no role that has a path. Whether it
    # confirms the e-mail subscription does not matter here.
    found = run_json("doctor", status=1)
    checks = {finding["check"] for finding in found["findings"]}
    known = {"stream-encrypted", "mapping-reports-its-events", "has-permissions"}
    assert known <= checks <= known | {"somebody-listens"}
    assert found["unread"] == []
    # The status depends on whether the figures of the last calls have arrived.
    assert json.loads(run("scale", "--dry-run", "--json").stdout)["capacity"]["shards"] == 1


def check_update(run, run_json, client):
    """Nothing that is not given changes: neither the platform, nor the resources that were left out."""
    same = run_json("deploy", "--dry-run")["plan"]
    assert (same["changes"], set(same["left_out"])) == ([], set(CANNOT_CREATE))
    more = run_json("deploy", "--yes", "--memory", "1024")["plan"]
    assert [(row["name"], row["before"], row["after"]) for row in more["parameters"]] == [("MemorySize", "512", "1024")]
    # Resources that refer to the function count as changed.
    changed = {change["name"] for change in more["changes"]}
    assert ("Function" in changed, changed & set(CANNOT_CREATE)) == (True, set())
    function = client("lambda").get_function_configuration(FunctionName="truckstream")
    assert (function["MemorySize"], function["Runtime"]) == (1024, f"python{PYTHON}")
    rejected = run("provision", "--yes")
    assert (rejected.returncode, "already has a function" in rejected.stderr) == (3, True)
    contradicted = run("deploy", "--yes", STREAM_NAME="buses")
    assert (contradicted.returncode, "but the stack truckstream has 'trucks'" in contradicted.stderr) == (2, True)


def check_destroy(run, run_json, client, count):
    assert {row["name"] for row in run_json("destroy", "--dry-run")["stays"]} == {
        *("Bucket", "BucketPolicy", "FailedBucket", "FailedBucketPolicy", "Stream")
    }
    assert "truckstream" in stacks(client)
    destroyed = run_json("destroy", "--yes")
    assert destroyed["done"] is True
    assert "truckstream" not in stacks(client)
    assert len(stored_records(client, "acme-truck-data")) == count
    assert client("kinesis").describe_stream_summary(StreamName="trucks")
    zips = client("s3").list_objects_v2(Bucket="truckstream-artifacts-000000000000-us-east-1")
    assert zips.get("KeyCount") == 0
    for names in (("--stream", "trucks"), ("--stream", "buses", "--bucket", "acme-truck-data")):
        taken = run("deploy", "--yes", *names)
        assert (taken.returncode, "exists already that is not part of this stack" in taken.stderr) == (3, True)
    again = destroyed["again"]
    assert again.startswith("truckstream deploy --stack truckstream --region us-east-1")
    assert "--adopt --stream trucks --bucket acme-truck-data --architecture x86_64" in again
    assert "--parameter AlarmEmail=a@example.com --parameter MemorySize=1024 --leave-out ErrorRateAlarm" in again
    return again


def check_adoption(run_json, client, again):
    """The kept stream and bucket are used again with their contents, and the next destruction keeps them, too."""
    before = set(stored_records(client, "acme-truck-data"))
    adopted = run_json(*shlex.split(again)[1:], "--yes")
    made = client("cloudformation").describe_stack_resources(StackName="truckstream")["StackResources"]
    assert {row["LogicalResourceId"] for row in made} & {"Stream", "Bucket", "BucketPolicy"} == set()
    # ministack's change sets list resources whose conditions are false, which the plan admits.
    assert "which is not AWS" in adopted["plan"]["notes"][-1]
    assert (adopted["outputs"]["StreamName"], adopted["outputs"]["BucketName"]) == ("trucks", "acme-truck-data")
    [new] = client("kinesis").put_records(StreamName="trucks", Records=[{"Data": REPORT, "PartitionKey": "TRUCK_NEW"}])[
        "Records"
    ]
    assert "SequenceNumber" in new
    until = time.monotonic() + 40
    while REPORT not in (stored := set(stored_records(client, "acme-truck-data"))) and time.monotonic() < until:
        time.sleep(0.5)
    assert stored == before | {REPORT}
    kept = run_json("destroy", "--yes", "--delete-data")["stays"]
    assert [row["physical_id"] for row in kept] == ["trucks", "acme-truck-data"]
    assert set(stored_records(client, "acme-truck-data")) == stored


def test_destroy_with_delete_data_leaves_nothing(run_json, client):
    created = run_json("provision", "--yes", "--stack", "brief", "--stream", "brief-stream")
    bucket = created["outputs"]["BucketName"]
    for number in range(3):
        client("s3").put_object(Bucket=bucket, Key=f"sensor_data/{number}", Body=b"x", IfNoneMatch="*")
    destroyed = run_json("destroy", "--yes", "--stack", "brief", "--delete-data")
    assert (destroyed["done"], destroyed["stays"]) == (True, [])
    assert bucket not in {row["Name"] for row in client("s3").list_buckets()["Buckets"]}
    assert "brief-stream" not in client("kinesis").list_streams()["StreamNames"]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("destroy", "--stack", "nowhere", "--yes"), 3, "the stack nowhere does not exist in us-east-1"),
        (("scale", "--stack", "nowhere"), 3, "the stack nowhere has no stream and function"),
        (("deploy", "--parameter", "Shards=3"), 2, "parameter is 'Shards': must be one of Scope, CodeBucket"),
        (("deploy", "--parameter", "ShardCount"), 2, "--parameter is 'ShardCount'"),
        (("deploy", "--yes", "--leave-out", "Bukcet"), 2, "leave_out is 'Bukcet'"),
        (("deploy", "--python", "3.9"), 2, "python is '3.9'"),
        (("deploy", "--stream", "no such name"), 2, "stream_name is 'no such name'"),
        (("status", "--region", "nowhere"), 2, "region is 'nowhere'"),
    ],
)
def test_a_failure_is_printed_as_one_line(run, arguments, status, words):
    done = run(*arguments)
    assert (done.returncode, words in done.stderr) == (status, True), done.stderr
    assert "Traceback" not in done.stderr


def test_the_error_for_missing_credentials_or_region_explains_how_to_set_them(run):
    done = run("status", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="", AWS_EC2_METADATA_DISABLED="true")
    assert (done.returncode, "credentials were not found. Log in" in done.stderr) == (2, True), done.stderr
    done = run("status", AWS_REGION="")
    assert (done.returncode, "region is not set. Pass --region" in done.stderr) == (2, True), done.stderr
    done = run("status", AWS_PROFILE="nobody")
    assert (done.returncode, "AWS_PROFILE is unknown" in done.stderr) == (2, True), done.stderr


def test_a_failed_connection_is_reported_as_text_and_as_json(run):
    done = run("status", "--json", AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert (done.returncode, "Check the network connection" in done.stderr) == (3, True), done.stderr
    error = json.loads(done.stdout)["error"]
    assert (error["kind"], error["code"]) == ("AwsError", "EndpointConnectionError")
    assert error["operation"] == "cloudformation:describe_stacks"
    assert error["hint"] == "Check the network connection, and whether us-east-1 is the right region."


def test_the_status_of_a_missing_stack_is_an_empty_page_with_status_1(run):
    done = run("status", "--stack", "nowhere")
    assert done.returncode == 1
    assert done.stdout.startswith("stack     nowhere in us-east-1: none\nstream    none\n")
    assert "there is no stack nowhere in us-east-1: check its name, the region" in done.stdout
