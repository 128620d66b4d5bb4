"""The resources of lambda_entry/template.yaml have the properties that the pages promise.

Imitations of AWS ignore most properties, so that encryption, lifecycle rules and permissions are checked in the file.
cfn-lint and checkov check it in .ci/run.
"""

import fnmatch
import json
import re

import msgspec
import pytest
from cfnlint.decode import decode_str

from tests.batcher.support import record
from tests.cloud.ministack import CANNOT_CREATE
from tests.cloud.parsed_template import PARAMETERS, RESOURCES, ROOT, TEMPLATE, TEXT
from truckstream.alarms import ALARMS
from truckstream.batcher import Batcher
from truckstream.cloud.deployment.template import (
    compact,
    defaults_of,
    fits_a_call,
    parameters_of,
    read_template,
    without,
)
from truckstream.errors import InvalidArgumentError
from truckstream.metrics import DIMENSION, METRICS, NAMESPACE
from truckstream.record import TruckRecord


def properties(name):
    return RESOURCES[name]["Properties"]


def default(value):
    """Return a property's value; for a parameter, its default."""
    if isinstance(value, dict) and set(value) == {"Ref"} and value["Ref"] in PARAMETERS:
        return PARAMETERS[value["Ref"]]["Default"]
    return value


def statements(role):
    """Return every statement of a role or a policy, including those that depend on a condition."""
    document = properties(role).get("PolicyDocument") or properties(role)["Policies"][0]["PolicyDocument"]
    return [each["Fn::If"][1] if "Fn::If" in each else each for each in document["Statement"]]


def actions(statement):
    found = statement["Action"]
    return {found} if isinstance(found, str) else set(found)


def resources_of(statement):
    found = statement["Resource"]
    return found if isinstance(found, list) else [found]


# --- Stream, bucket, function, mapping --------------------------------------------------------------


def test_the_stream_has_one_shard_24_hours_of_retention_and_kms():
    stream = properties("Stream")
    assert default(stream["ShardCount"]["Fn::If"][1]) == 1
    assert default(stream["RetentionPeriodHours"]) == 24
    assert stream["StreamEncryption"]["EncryptionType"] == "KMS"
    assert stream["StreamEncryption"]["KeyId"]["Fn::If"] == [
        "UseKey",
        {"Fn::GetAtt": ["Key", "Arn"]},
        "alias/aws/kinesis",
    ]


def test_the_bucket_is_encrypted_private_and_owned():
    bucket = properties("Bucket")
    [rule] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"]["Fn::If"] == ["UseKey", "aws:kms", "AES256"]
    assert rule["BucketKeyEnabled"]["Fn::If"] == ["UseKey", True, False]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]


def test_the_buckets_lifecycle_tiers_data_and_expires_everything_else():
    rules = {rule["Id"]: rule for rule in properties("Bucket")["LifecycleConfiguration"]["Rules"]}
    assert rules["incomplete-uploads"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
    assert rules["data-to-intelligent-tiering"]["Transitions"] == [
        {"StorageClass": "INTELLIGENT_TIERING", "TransitionInDays": 0}
    ]
    assert rules["data-to-intelligent-tiering"]["Prefix"] == {"Fn::Sub": "${Prefix}/"}
    expiring = {rule["Id"] for rule in rules.values() if "ExpirationInDays" in rule}
    assert expiring == {"rejected-records", "failed-deliveries", "query-results"}
    assert {rule["Status"] for rule in rules.values()} == {"Enabled"}


def test_resources_with_data_outlive_the_stack():
    kept = {name for name, resource in RESOURCES.items() if resource.get("DeletionPolicy") == "RetainExceptOnCreate"}
    assert kept == {"Bucket", "BucketPolicy", "Key", "Stream"}
    assert all(RESOURCES[name]["UpdateReplacePolicy"] == "Retain" for name in kept)


def test_the_buckets_policy_denies_plain_http_old_tls_and_overwriting():
    denied = {each["Sid"]: each for each in properties("BucketPolicy")["PolicyDocument"]["Statement"]}
    assert {each["Effect"] for each in denied.values()} == {"Deny"}
    assert denied["TlsOnly"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert denied["NoOldTls"]["Condition"] == {"NumericLessThan": {"s3:TlsVersion": "1.2"}}
    assert denied["CreatedNeverOverwritten"]["Condition"]["Null"] == {"s3:if-none-match": "true"}
    assert len(denied["CreatedNeverOverwritten"]["Resource"]) == 2


def test_the_function_has_the_documented_settings():
    function = properties("Function")
    facts = {name: default(function[name]) for name in ("Handler", "Runtime", "MemorySize", "Timeout", "TracingConfig")}
    assert facts == {
        "Handler": "lambda_entry.handler.lambda_handler",
        "Runtime": "python3.13",
        "MemorySize": 512,
        "Timeout": 300,
        "TracingConfig": {"Mode": "Active"},
    }
    assert [default(each) for each in function["Architectures"]] == ["arm64"]
    assert function["LoggingConfig"]["LogGroup"] == {"Ref": "LogGroup"}
    assert default(properties("LogGroup")["RetentionInDays"]) == 30


def test_the_functions_variables_are_settings_of_the_handler():
    settings = (ROOT / "lambda_entry" / "handler.py").read_text(encoding="utf-8").split('"""')[1]
    named = set(re.findall(r"^    ([A-Z_]+) ", settings, re.MULTILINE))
    variables = properties("Function")["Environment"]["Variables"]
    assert set(variables) <= named
    assert {name: default(value) for name, value in variables.items() if name != "BUCKET_NAME"} == {
        "PREFIX": "sensor_data",
        "REJECTED_PREFIX": "rejected",
        "BATCH_SIZE": "700",
        "LAYOUT": "flat",
        "EVENT_TIME": "",
    }


def test_the_event_time_needs_the_hive_layout():
    """The Batcher has the same rule. Without this one the deployed function would fail when it starts."""
    rule = TEMPLATE["Rules"]["EventTimeNeedsHive"]
    assert rule["RuleCondition"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "EventTime"}, ""]}]}
    assert rule["Assertions"][0]["Assert"] == {"Fn::Equals": [{"Ref": "Layout"}, "hive"]}
    for field in filter(None, PARAMETERS["EventTime"]["AllowedValues"]):
        Batcher("memory:///", layout="hive", event_time=field)


def test_the_mapping_has_the_settings_that_lose_no_record():
    mapping = {name: default(value) for name, value in properties("Mapping").items()}
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BisectBatchOnFunctionError"] is False
    assert (mapping["BatchSize"], mapping["MaximumBatchingWindowInSeconds"]) == (4900, 5)
    assert (mapping["ParallelizationFactor"], mapping["StartingPosition"]) == (1, "LATEST")
    assert mapping["MaximumRetryAttempts"] == -1
    assert mapping["MaximumRecordAgeInSeconds"] < PARAMETERS["RetentionHours"]["Default"] * 3600
    assert ":s3:::" in mapping["DestinationConfig"]["OnFailure"]["Destination"]["Fn::Sub"][0]


# --- Permissions ------------------------------------------------------------------------------------


def test_the_function_has_these_permissions_and_no_others():
    allowed = set().union(*(actions(each) for each in statements("FunctionRole") if each["Effect"] == "Allow"))
    assert allowed == {
        *("kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords"),
        *("kinesis:GetShardIterator", "kinesis:ListShards"),
        *("s3:GetObject", "s3:PutObject", "s3:ListBucket"),
        *("logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTraceSegments", "xray:PutTelemetryRecords"),
        *("kms:Decrypt", "kms:GenerateDataKey"),
        *("ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"),
        *("ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses"),
    }


def test_only_these_statements_allow_any_resource():
    """The actions in them do not support a narrower resource."""
    anything = {each["Sid"] for each in statements("FunctionRole") if "*" in resources_of(each)}
    assert anything == {"Trace", "LiveInTheVpc", "TheCodeItselfMayNot"}


def test_the_producer_may_put_and_describe():
    put, key, existing = statements("ProducerPolicy")
    assert actions(put) == {
        *("kinesis:PutRecord", "kinesis:PutRecords", "kinesis:DescribeStreamSummary", "kinesis:ListShards"),
    }
    assert actions(key) == actions(existing) == {"kms:GenerateDataKey"}
    assert "*" not in resources_of(put) + resources_of(key) + resources_of(existing)


def test_no_statement_allows_a_whole_service():
    wide = [
        action
        for name, resource in RESOURCES.items()
        if resource["Type"] in {"AWS::IAM::Role", "AWS::IAM::ManagedPolicy"} and name != "ProducerRole"
        for each in statements(name)
        if each["Effect"] == "Allow"
        for action in actions(each)
        if fnmatch.fnmatch("anything", action.partition(":")[2])
    ]
    assert wide == []


# --- Alarms and dashboard ---------------------------------------------------------------------------


def metrics_in(alarm):
    """Yield name, namespace and dimensions of each metric that an alarm reads."""
    for each in alarm.get("Metrics", [{"MetricStat": {"Metric": alarm}}]):
        if "MetricStat" in each:
            metric = each["MetricStat"]["Metric"]
            yield metric["MetricName"], metric["Namespace"], {row["Name"] for row in metric["Dimensions"]}


def alarms():
    found = (resource["Properties"] for resource in RESOURCES.values() if resource["Type"] == "AWS::CloudWatch::Alarm")
    return {alarm["AlarmName"]["Fn::Sub"].removeprefix("${AWS::StackName}-"): alarm for alarm in found}


def test_the_alarms_are_those_of_the_table():
    assert set(alarms()) == {alarm.name for alarm in ALARMS}
    namespaces = {metric.name: metric.namespace for metric in METRICS}
    for row in ALARMS:
        read = list(metrics_in(alarms()[row.name]))
        assert {name for name, _, _ in read} >= set(row.metrics)
        assert all(namespaces[name] == namespace for name, namespace, _ in read)
        assert all(dimensions in ({"StreamName"}, {DIMENSION}) for _, _, dimensions in read)
        assert alarms()[row.name]["AlarmActions"] == [{"Ref": "Topic"}]


@pytest.mark.parametrize(
    ("name", "threshold", "period"),
    [
        ("function-errors", 1, 300),
        ("error-rate", 1, None),
        ("iterator-age", 30_000, 60),
        ("duration", 240_000, 300),
        ("failed-uploads", 1, 300),
        ("upload-latency", 5_000, 60),
        ("throttled-writes", 0, 60),
        ("stream-load", 80, None),
    ],
)
def test_an_alarm_has_the_documented_threshold_and_period(name, threshold, period):
    alarm = alarms()[name]
    assert default(alarm["Threshold"]) == threshold
    assert alarm.get("Period") == period
    assert alarm["ComparisonOperator"].startswith("GreaterThan")
    assert alarm["TreatMissingData"] == "notBreaching"


def test_the_load_is_a_percentage_of_the_quotas_of_all_shards():
    [load, *_] = alarms()["stream-load"]["Metrics"]
    expression = "100 * MAX([records / PERIOD(records) / 1000, bytes / PERIOD(bytes) / 1048576]) / ${ShardCount}"
    assert load["Expression"] == {"Fn::Sub": expression}


def test_the_dashboard_shows_every_metric():
    body = properties("Dashboard")["DashboardBody"]["Fn::Sub"][0]
    widgets = json.loads(re.sub(r"\$\{[^}]+\}", "x", body))["widgets"]
    shown = {(row[1], row[0]) for widget in widgets for row in widget["properties"]["metrics"]}
    assert shown == {(metric.name, metric.namespace) for metric in METRICS}
    places = {(widget["x"], widget["y"]) for widget in widgets}
    assert len(places) == len(widgets)
    assert NAMESPACE == "Truckstream"


# --- Athena -----------------------------------------------------------------------------------------


def columns(table):
    return {row["Name"]: row["Type"] for row in properties(table)["TableInput"]["StorageDescriptor"]["Columns"]}


def test_the_data_table_has_the_records_fields():
    kinds = {"number": "double", "integer": "int", "string": "string"}
    schema = msgspec.json.schema(TruckRecord)["$defs"]["TruckRecord"]["properties"]
    wanted = {name: kinds[field.get("type", "string")] for name, field in schema.items()}
    for name, kind in wanted.items():
        line = f"- {{Name: {name}, Type: {kind}}}"
        assert columns("DataTable").get(name) == kind, f"add `{line}` to DataTable in lambda_entry/template.yaml"
    assert columns("DataTable") == wanted
    assert list(columns("DataTable")) == list(TruckRecord.__struct_fields__)


async def test_the_rejected_table_has_the_lines_fields(tmp_path):
    """The bytes of a record are in different fields if they are UTF-8, other bytes, or invalid base64."""
    bad = [record(b"?", 0), record(b"\xff", 1), record(b"", 2, encoded="!")]
    await Batcher(tmp_path.as_uri()).process(bad)
    lines = [line for path in tmp_path.glob("rejected/*") for line in path.read_bytes().splitlines()]
    assert len(lines) == 3
    assert {name for line in lines for name in msgspec.json.decode(line)} == set(columns("RejectedTable"))


def test_the_partitions_of_the_hive_layout_are_projected():
    keys, parameters = (
        properties("DataTable")["TableInput"][name]["Fn::If"] for name in ("PartitionKeys", "Parameters")
    )
    assert [row["Name"] for row in keys[1]] == ["year", "month", "day", "hour"]
    assert parameters[1]["projection.enabled"] == "true"
    assert {name.split(".")[1] for name in parameters[1] if name.endswith(".type")} == {"year", "month", "day", "hour"}
    assert "projection.enabled" not in parameters[2]


def test_the_queries_use_only_columns_of_their_tables():
    tables = {"sensor_data": "DataTable", "rejected": "RejectedTable"}
    queries = [resource for resource in RESOURCES.values() if resource["Type"] == "AWS::Athena::NamedQuery"]
    assert len(queries) == 4
    for query in queries:
        sql = query["Properties"]["QueryString"]
        [table] = re.findall(r"FROM (\w+)", sql)
        words = set(re.findall(r'"?\b([a-z_]+)\b"?', re.sub(r"AS \w+", "", sql)))
        functions = {"max_by", "substr", "count", "min", "max", "from_unixtime", table, "records", "copies"}
        assert words - functions <= set(columns(tables[table]))


# --- The network ------------------------------------------------------------------------------------


def test_the_network_has_no_route_except_to_s3():
    assert not any(
        resource["Type"] in {"AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::Route"}
        for resource in RESOURCES.values()
    )
    assert properties("S3Endpoint")["VpcEndpointType"] == "Gateway"
    interfaces = {
        resource["Properties"]["ServiceName"]["Fn::Sub"].rpartition(".")[2]
        for resource in RESOURCES.values()
        if resource["Type"] == "AWS::EC2::VPCEndpoint" and resource["Properties"]["VpcEndpointType"] == "Interface"
    }
    assert interfaces == {"kinesis-streams", "logs", "kms", "lambda"}


# --- The template as text ---------------------------------------------------------------------------


def test_the_compact_template_is_small_enough_for_a_call_and_has_the_same_content():
    assert fits_a_call(compact(TEXT))
    assert json.loads(json.dumps(decode_str(compact(TEXT))[0])) == TEMPLATE


def test_a_call_accepts_51_200_bytes():
    assert fits_a_call("x" * 51_200)
    assert not fits_a_call("x" * 51_201)


@pytest.mark.parametrize(
    ("address", "accepted"), [("", True), ("you@example.com", True), ("nobody", False), ("a@", False)]
)
def test_alarm_email_must_be_an_address_or_empty(address, accepted):
    """Otherwise SNS would reject it in the middle of the deployment, which would then be rolled back."""
    assert bool(re.fullmatch(PARAMETERS["AlarmEmail"]["AllowedPattern"], address)) is accepted


def test_the_parameters_are_found_in_the_text():
    assert parameters_of(TEXT) == tuple(PARAMETERS)
    assert parameters_of(compact(TEXT)) == tuple(PARAMETERS)


def test_the_defaults_are_found_in_the_text():
    expected = {name: str(row["Default"]) for name, row in PARAMETERS.items() if "Default" in row}
    assert defaults_of(read_template()) == expected
    assert len(expected) > 20


def test_resources_can_be_left_out():
    small = json.loads(json.dumps(decode_str(without(compact(read_template()), CANNOT_CREATE))[0]))
    assert set(RESOURCES) - set(small["Resources"]) == set(CANNOT_CREATE)
    assert {name: small[name] for name in ("Parameters", "Conditions", "Outputs")} == {
        name: TEMPLATE[name] for name in ("Parameters", "Conditions", "Outputs")
    }
    with pytest.raises(InvalidArgumentError, match="leave_out is 'Bukcet'"):
        without(TEXT, ["Bukcet"])
