"""The resources of lambda_entry/template.yaml have the properties that the pages promise.

Imitations of AWS ignore most properties, so that encryption, lifecycle rules and permissions are checked in the file.
cfn-lint and checkov check it in .ci/run.
"""

import contextlib
import fnmatch
import json
import re
from typing import get_args

import obstore.store
import pytest

from lambda_entry.settings import read_batcher
from tests.batcher.support import ARN, ARRIVAL, SHARD, contents, number, record, truck, trucks
from tests.cloud.ministack import CANNOT_CREATE
from tests.cloud.parsed_template import PARAMETERS, RESOURCES, ROOT, TEMPLATE, TEXT, parsed
from tests.cloud.resolved_template import created, properties_of, references, resolved
from truckstream.alarms import ALARMS
from truckstream.batcher import Batcher
from truckstream.cloud.deployment.template.template_text import (
    defaults_of,
    parameters_of,
    read_template,
    without,
    without_metadata,
)
from truckstream.errors import ConfigurationError, InvalidArgumentError
from truckstream.lambda_function.logs import LogLevel
from truckstream.local.mapping.function.discarded_batch import DiscardedBatch, failure_document, failure_object
from truckstream.local.service.state.shard import Record
from truckstream.metrics import DIMENSION, METRICS, NAMESPACE


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


def lifecycle(**parameters):
    """Return the data bucket's lifecycle rules by name."""
    found = properties_of("Bucket", references(**parameters))["LifecycleConfiguration"]["Rules"]
    return {rule["Id"]: rule for rule in found}


def test_the_buckets_lifecycle_tiers_data_and_expires_everything_else():
    rules = lifecycle()
    assert rules["incomplete-uploads"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
    assert rules["data-to-intelligent-tiering"]["Transitions"] == [
        {"StorageClass": "INTELLIGENT_TIERING", "TransitionInDays": 0}
    ]
    assert rules["data-to-intelligent-tiering"]["Prefix"] == "sensor_data/"
    assert lifecycle(StorageClass="STANDARD")["data-to-intelligent-tiering"]["Status"] == "Disabled"
    expiring = {rule["Id"] for rule in rules.values() if "ExpirationInDays" in rule}
    assert expiring == {"rejected-records", "rejected-records-by-hour", "failed-deliveries", "query-results"}
    assert rules["old-versions"]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 90}
    assert rules["old-versions"]["ExpiredObjectDeleteMarker"] is True
    assert "Prefix" not in rules["old-versions"]
    assert {rule["Status"] for rule in rules.values()} == {"Enabled"}


def test_resources_with_data_outlive_the_stack():
    kept = {name for name, resource in RESOURCES.items() if resource.get("DeletionPolicy") == "RetainExceptOnCreate"}
    assert kept == {"Bucket", "BucketPolicy", "FailedBucket", "FailedBucketPolicy", "Key", "Stream"}
    assert all(RESOURCES[name]["UpdateReplacePolicy"] == "Retain" for name in kept)


def test_the_buckets_policy_denies_plain_http_old_tls_and_overwriting():
    denied = {each["Sid"]: each for each in properties("BucketPolicy")["PolicyDocument"]["Statement"]}
    assert {each["Effect"] for each in denied.values()} == {"Deny"}
    assert denied["TlsOnly"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert denied["NoOldTls"]["Condition"] == {"NumericLessThan": {"s3:TlsVersion": "1.2"}}
    assert denied["CreatedNeverOverwritten"]["Condition"]["Null"] == {"s3:if-none-match": "true"}
    assert len(denied["CreatedNeverOverwritten"]["Resource"]) == 3


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
    assert {name: default(value) for name, value in variables.items() if "Fn::If" not in value} == {
        "PREFIX": "sensor_data",
        "REJECTED_PREFIX": "rejected",
        "BATCH_SIZE": "700",
        "LAYOUT": "flat",
        "EVENT_TIME": "",
        "STORAGE_CLASS": "INTELLIGENT_TIERING",
        "SCHEMA": "truck",
        "FORMAT": "ndjson",
        "COMPRESSION": "none",
        "LOG_LEVEL": "INFO",
        "ALERT_RULES": "",
        "ALERT_TOPIC": "",
    }


def test_the_choices_of_records_and_objects_are_those_of_the_handler():
    """Every value is accepted by the handler, and Lambda itself leaves out no line that the handler writes."""
    choices = {name: PARAMETERS[name]["AllowedValues"] for name in ("Format", "Compression", "LogLevel")}
    for format_ in choices["Format"]:
        for compression in choices["Compression"]:
            refused = format_ == "parquet" and compression == "gzip"
            with pytest.raises(ConfigurationError) if refused else contextlib.nullcontext():
                read_batcher({"STORE_URL": "memory:///", "FORMAT": format_, "COMPRESSION": compression})
    assert choices["LogLevel"] == list(get_args(LogLevel))
    assert properties("Function")["LoggingConfig"]["ApplicationLogLevel"] == {"Fn::If": ["IsDebug", "DEBUG", "INFO"]}


@pytest.mark.parametrize(
    ("schema", "accepted"),
    [
        ("truck", True),
        ("none", True),
        ("my_schema:Reading", True),
        ("fleet.schemas:Reading", True),
        ("my_schema", False),
        ("my-schema:Reading", False),
        ("my_schema:Reading.inner", False),
        ("", False),
    ],
)
def test_a_schema_is_a_word_or_names_a_module(schema, accepted):
    assert bool(re.fullmatch(PARAMETERS["Schema"]["AllowedPattern"], schema)) is accepted


def test_parquet_needs_a_schema_and_no_further_compression():
    """The Batcher has the same rules. Without these the deployed function would fail when it starts."""
    rule = TEMPLATE["Rules"]["Parquet"]
    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "Format"}, "parquet"]}
    [assertion] = rule["Assertions"]
    assert assertion["Assert"]["Fn::Not"][0]["Fn::Or"] == [
        {"Fn::Equals": [{"Ref": "Compression"}, "gzip"]},
        {"Fn::Equals": [{"Ref": "Schema"}, "none"]},
    ]


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
    assert (mapping["ParallelizationFactor"], mapping["StartingPosition"]) == (1, "TRIM_HORIZON")
    assert mapping["MaximumRetryAttempts"] == -1
    assert mapping["DestinationConfig"]["OnFailure"]["Destination"] == {"Fn::GetAtt": ["FailedBucket", "Arn"]}


@pytest.mark.parametrize("existing", ["true", "false"])
def test_no_record_is_skipped_before_polling_begins(existing):
    """Of an existing stream neither: a record that is stored twice can be found, one that is skipped cannot."""
    assert properties_of("Mapping", references(CreateStream=existing))["StartingPosition"] == "TRIM_HORIZON"


def test_a_mapping_can_begin_at_a_time():
    mapping = properties_of("Mapping", references(StartingPosition="AT_TIMESTAMP", StartingTimestamp=1_764_000_000))
    assert (mapping["StartingPosition"], mapping["StartingPositionTimestamp"]) == ("AT_TIMESTAMP", 1_764_000_000)
    assert "StartingPositionTimestamp" not in properties_of("Mapping", references())


@pytest.mark.parametrize("hours", PARAMETERS["RetentionHours"]["AllowedValues"])
def test_lambda_gives_up_before_the_stream_forgets(hours):
    """After 5/6 of the retention, or after Lambda's limit of 7 days."""
    age = properties_of("Mapping", references(RetentionHours=hours))["MaximumRecordAgeInSeconds"]
    assert age == min(hours * 3_600 * 5 // 6, 604_800)


def test_an_own_record_age_counts_unless_it_is_the_former_default():
    ages = [
        int(properties_of("Mapping", references(RetentionHours=48, RecordAge=age))["MaximumRecordAgeInSeconds"])
        for age in ("3600", "72000", "0")
    ]
    assert ages == [3_600, 144_000, 144_000]


def test_a_record_age_that_lambda_rejects_is_refused():
    pattern = re.compile(PARAMETERS["RecordAge"]["AllowedPattern"])
    accepted_ages = [age for age in range(700_000) if pattern.fullmatch(str(age))]
    assert accepted_ages == [0, *range(60, 604_801)]


# --- Failed deliveries ------------------------------------------------------------------------------


def test_the_bucket_of_failed_deliveries_shares_nothing_with_the_data_bucket():
    """Whatever makes deliveries fail must not reach it: the data bucket's policy, its key, or its loss."""
    needed = json.dumps([RESOURCES[name] for name in ("FailedBucket", "FailedBucketPolicy")])
    named = set(re.findall(r'"Ref": "(\w+)"|"Fn::GetAtt": \["(\w+)"', needed)) | set(re.findall(r"\$\{(\w+)", needed))
    assert {name for names in named for name in ([names] if isinstance(names, str) else names) if name} == {
        "FailedBucket",
        "RejectedDays",
    }


def test_the_bucket_of_failed_deliveries_is_encrypted_private_and_emptied():
    bucket = properties_of("FailedBucket", references(Encryption="CUSTOMER_KEY"))
    [rule] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    assert bucket["PublicAccessBlockConfiguration"] == properties("Bucket")["PublicAccessBlockConfiguration"]
    assert [rule["ExpirationInDays"] for rule in bucket["LifecycleConfiguration"]["Rules"]] == [90]


async def test_a_failed_delivery_can_be_replayed():
    """Its object has the event in `payload`: the function stores its records as if Lambda had delivered them again."""
    discarded = [Record(n, number(n), truck(n), f"TRUCK_{n:03}", ARRIVAL) for n in range(3)]
    batch = DiscardedBatch(discarded, "RecordAgeExceeded", 9, None, ARRIVAL)
    document = failure_document(batch, request_id="", function_arn="f", shard_id=SHARD, stream_arn=ARN)
    key, content = failure_object(document, {"Records": trucks(3)}, mapping_id="m", name="n")
    assert key.startswith("aws/lambda/")
    event = json.loads(json.loads(content)["payload"])
    store = obstore.store.MemoryStore()
    assert (await Batcher(store).process(event["Records"])).stored == 3


# --- Prefixes ---------------------------------------------------------------------------------------


def expiring_keys(**parameters):
    """Return the beginnings of the keys that lifecycle rules expire."""
    return tuple(rule["Prefix"] for rule in lifecycle(**parameters).values() if "ExpirationInDays" in rule)


def accepted(prefix, rejected_prefix="rejected"):
    """Return whether the template accepts these prefixes."""
    matches = all(
        re.fullmatch(PARAMETERS[name]["AllowedPattern"], value)
        for name, value in (("Prefix", prefix), ("RejectedPrefix", rejected_prefix))
    )
    [rule] = TEMPLATE["Rules"]["DataDoNotExpire"]["Assertions"]
    return matches and resolved(rule["Assert"], references(Prefix=prefix, RejectedPrefix=rejected_prefix))


@pytest.mark.parametrize(
    "prefix",
    [
        *("rejected", "rejected/data", "athena-results", "athena-results/x", "aws/lambda", "aws/lambda/data"),
        *("batch_1", "a/batch_1", "a//b", "/a", "a/", "a=b"),
    ],
)
def test_a_prefix_whose_data_would_expire_is_refused(prefix):
    assert not accepted(prefix)


def test_the_same_prefix_for_valid_and_rejected_records_is_refused():
    assert not accepted("lake", "lake")


@pytest.mark.parametrize("layout", ["flat", "hive"])
@pytest.mark.parametrize(
    ("prefix", "rejected_prefix"),
    [("sensor_data", "rejected"), ("bad/data", "bad"), ("bad/a/b", "bad/a"), ("rejected_data", "bad"), ("aws", "x")],
)
async def test_lifecycle_rules_expire_rejected_records_and_no_data(layout, prefix, rejected_prefix):
    assert accepted(prefix, rejected_prefix)
    store = obstore.store.MemoryStore()
    # Two batchers, because one refuses a prefix below the other.
    await Batcher(store, prefix=prefix, rejected_prefix="else/where", layout=layout).process([record(truck(0), 0)])
    await Batcher(store, prefix="else/where", rejected_prefix=rejected_prefix, layout=layout).process([record(b"?", 1)])
    expiring = expiring_keys(Prefix=prefix, RejectedPrefix=rejected_prefix)
    keys = {key: key.startswith(expiring) for key in contents(store)}
    assert keys == {key: b'"reason"' in body for key, body in contents(store).items()}
    assert len(keys) == 2


# --- Names ------------------------------------------------------------------------------------------

#: The property with the name of a resource, and the longest name that the service accepts (its API reference, 2026-11).
NAMES = {
    "AWS::Lambda::Function": ("FunctionName", 64),
    "AWS::Logs::LogGroup": ("LogGroupName", 512),
    "AWS::Logs::QueryDefinition": ("Name", 255),
    "AWS::CloudWatch::Alarm": ("AlarmName", 255),
    "AWS::CloudWatch::Dashboard": ("DashboardName", 255),
    "AWS::Athena::WorkGroup": ("Name", 128),
    "AWS::Athena::NamedQuery": ("Name", 128),
    "AWS::IAM::Role": ("RoleName", 64),
    "AWS::IAM::ManagedPolicy": ("ManagedPolicyName", 128),
    "AWS::SNS::Topic": ("TopicName", 256),
    "AWS::S3::Bucket": ("BucketName", 63),
    "AWS::Kinesis::Stream": ("Name", 128),
}


def names_of(stack, **parameters):
    """Return the names that a stack gives to its resources, by type and resource."""
    names = references(stack, ProducerPrincipal="arn:aws:iam::000000000000:role/x", AlarmEmail="a@b", **parameters)
    found = {(kind, name): properties_of(name, names) for name, kind in created(names).items() if kind in NAMES}
    given = {(kind, name): each[NAMES[kind][0]] for (kind, name), each in found.items() if NAMES[kind][0] in each}
    database = properties_of("Database", names)["DatabaseInput"]["Name"]
    return given | {("AWS::Glue::Database", "Database"): database}


def test_every_name_fits_its_limit_for_the_longest_stack_name():
    """The commands and the template's description limit it to 64 characters, Lambda's limit for the function."""
    longest = "S" * 64
    too_long = {
        name: len(text) for (kind, name), text in names_of(longest).items() if len(text) > NAMES.get(kind, ("", 255))[1]
    }
    assert too_long == {}
    assert len(properties_of("FunctionRole", references(longest))["Path"]) <= 512


def test_a_second_stack_fits_beside_the_first():
    """No name is the same, except those of the user's stream and of queries, which belong to a workgroup."""
    first, second = names_of("truckstream"), names_of("second", StreamName="another")
    shared = {key for key in first if first[key] == second[key]}
    assert {kind for kind, _ in shared} == {"AWS::Athena::NamedQuery"}
    assert first["AWS::Glue::Database", "Database"] == "truckstream"
    assert re.fullmatch(r"truckstream_[0-9a-f]{8}", second["AWS::Glue::Database", "Database"])


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
        "sns:Publish",
    }


def test_only_these_statements_allow_any_resource():
    """The actions in them do not support a narrower resource."""
    anything = {each["Sid"] for each in statements("FunctionRole") if "*" in resources_of(each)}
    assert anything == {"Trace", "LiveInTheVpc", "TheCodeItselfMayNot"}


def test_the_function_uses_only_buckets_of_this_account():
    on_buckets = [each for each in statements("FunctionRole") if any("s3:" in action for action in actions(each))]
    ours = {"StringEquals": {"s3:ResourceAccount": {"Ref": "AWS::AccountId"}}}
    assert [each.get("Condition") for each in on_buckets] == [ours] * len(on_buckets)


def test_a_change_of_the_producers_policy_replaces_it():
    """CloudFormation replaces it when its description changes, so every value in the document must be in there."""
    different = [{}, {"StreamName": "another"}, {"Encryption": "CUSTOMER_KEY"}]
    policies = [properties_of("ProducerPolicy", references(**parameters)) for parameters in different]
    assert len({json.dumps(policy["PolicyDocument"]) for policy in policies}) == len(different)
    assert len({policy["Description"] for policy in policies}) == len(different)


def test_a_permissions_boundary_limits_both_roles():
    boundary = "arn:aws:iam::000000000000:policy/truckstream-boundary/Acme"
    for role in ("FunctionRole", "ProducerRole"):
        assert properties_of(role, references(PermissionsBoundary=boundary))["PermissionsBoundary"] == boundary
        assert "PermissionsBoundary" not in properties_of(role, references())


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


# --- Alarms and dashboard: test_alarms.py evaluates them --------------------------------------------


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
        assert {name for name, _, _ in read} == set(row.metrics)
        assert all(namespaces[name] == namespace for name, namespace, _ in read)
        assert all(dimensions == {dimension_of(name, namespace)} for name, namespace, dimensions in read)
        assert alarms()[row.name]["AlarmActions"] == alarms()[row.name]["OKActions"] == [{"Ref": "Topic"}]
        assert alarms()[row.name]["AlarmDescription"] == row.description, row.name


def dimension_of(name, namespace):
    if namespace in {"AWS/Kinesis", "AWS/Events"}:
        return "StreamName" if namespace == "AWS/Kinesis" else "RuleName"
    return "EventSourceMappingUUID" if name.endswith("EventCount") else DIMENSION


def test_the_mapping_reports_the_metrics_that_are_off_by_default():
    assert properties("Mapping")["MetricsConfig"] == {"Metrics": ["EventCount"]}


def without_dots(rows):
    """Return the metrics of a widget with the values that a dot repeats from the row above."""
    found = []
    for row in rows:
        found.append([found[-1][index] if value == "." else value for index, value in enumerate(row)])
    return found


def widgets(**parameters):
    names = references(**parameters)
    return json.loads(properties_of("Dashboard", names)["DashboardBody"])["widgets"]


def test_the_dashboard_shows_every_metric():
    found = widgets(CreateCompaction="true")
    shown = {(row[1], row[0]) for widget in found for row in without_dots(widget["properties"]["metrics"])}
    assert shown == {(metric.name, metric.namespace) for metric in METRICS}
    assert {widget["width"] for widget in found} == {8}
    assert NAMESPACE == "Truckstream"


def test_the_dashboard_has_widgets_for_the_compaction_if_there_is_one():
    without, with_it = ({widget["properties"]["title"] for widget in widgets(**each)} for each in ({}, COMPACTION))
    assert with_it - without == {"Calls of the compaction", "Duration of a compaction (ms)"}


COMPACTION = {"CreateCompaction": "true"}


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


def test_the_deployed_template_has_no_metadata_of_checks():
    """They would make each change of a remark a change of the resource."""
    expected = json.loads(json.dumps(TEMPLATE))
    removed = [resource.pop("Metadata", None) for resource in expected["Resources"].values()]
    assert any(removed)
    assert parsed(without_metadata(TEXT)) == expected


@pytest.mark.parametrize(
    ("address", "accepted"), [("", True), ("you@example.com", True), ("nobody", False), ("a@", False)]
)
def test_alarm_email_must_be_an_address_or_empty(address, accepted):
    """Otherwise SNS would reject it in the middle of the deployment, which would then be rolled back."""
    assert bool(re.fullmatch(PARAMETERS["AlarmEmail"]["AllowedPattern"], address)) is accepted


def test_the_template_has_no_characters_that_cloudformation_replaces():
    """It stores a question mark for each one that is not in ASCII."""
    assert TEXT.isascii()


def test_the_parameters_are_found_in_the_text():
    assert parameters_of(TEXT) == tuple(PARAMETERS)


def test_the_defaults_are_found_in_the_text():
    expected = {name: str(row["Default"]) for name, row in PARAMETERS.items() if "Default" in row}
    assert defaults_of(read_template()) == expected
    assert len(expected) > 20


def test_resources_can_be_left_out():
    small = parsed(without(read_template(), CANNOT_CREATE))
    assert set(RESOURCES) - set(small["Resources"]) == set(CANNOT_CREATE)
    kept = {name: section for name, section in TEMPLATE.items() if name != "Resources"}
    assert {name: small[name] for name in kept} == kept
    with pytest.raises(InvalidArgumentError, match="leave_out is 'Bukcet'"):
        without(TEXT, ["Bukcet"])
