"""The compaction in the template: its role allows what the function does, and no more; its variables are read."""

from __future__ import annotations

import re

import obstore.store
import pytest

from lambda_entry import compaction
from tests.cloud.iam_evaluator import Call, allows
from tests.cloud.parsed_template import PARAMETERS, RESOURCES, TEMPLATE
from tests.cloud.resolved_template import ACCOUNT, created, properties_of, references, resolved
from tests.data.compaction.support import fill
from truckstream import compact

BUCKET = "arn:aws:s3:::acme"
OURS = {"s3:ResourceAccount": ACCOUNT, "aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}
CREATE = {**OURS, "s3:if-none-match": "*", "s3:ObjectCreationOperation": "true"}
OVERWRITE = {**OURS, "s3:ObjectCreationOperation": "true"}
OTHER_KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/2"


def names(**values):
    return references("packed", Bucket="acme", CreateCompaction="true", **values)


def may(action, resource, context=OURS, **values):
    """Whether the policies of the role and of the bucket allow a call of the function."""
    [policy] = properties_of("CompactionRole", names(**values))["Policies"]
    documents = [policy["PolicyDocument"], properties_of("BucketPolicy", names(**values))["PolicyDocument"]]
    return allows(documents, Call(action, resource, context))


def test_it_is_off_by_default():
    assert PARAMETERS["CreateCompaction"]["Default"] == "false"
    assert not any("Compaction" in name for name in created(references()))
    ours = {name for name in created(references(CreateCompaction="true")) if "Compaction" in name}
    assert ours == {name for name in RESOURCES if "Compaction" in name}
    assert len(ours) == 9
    assert not any("Compaction" in name for name in created(references(CreateCompaction="true", Scope="STORAGE")))


# --- The role ---------------------------------------------------------------------------------------


class RecordingStore:
    """Records each request as IAM sees it."""

    put_async = get_async = None

    def __init__(self, store):
        self.store, self.calls = store, set()

    def put(self, path, file, **options):
        assert options["mode"] == "create"
        self.calls.add(("s3:PutObject", f"{BUCKET}/{path}"))
        return self.store.put(path, file, **options)

    def get(self, path, **options):
        self.calls.add(("s3:GetObject", f"{BUCKET}/{path}"))
        return self.store.get(path, **options)

    def list(self, *args, **options):
        self.calls.add(("s3:ListBucket", BUCKET))
        return self.store.list(*args, **options)


async def test_the_role_allows_each_request_of_a_compaction():
    store = RecordingStore(obstore.store.MemoryStore())
    await fill(store.store)
    await compact(store)
    assert {action for action, _ in store.calls} == {"s3:PutObject", "s3:GetObject", "s3:ListBucket"}
    for action, resource in store.calls:
        assert may(action, resource, CREATE if action == "s3:PutObject" else OURS), (action, resource)


@pytest.mark.parametrize(
    ("action", "key", "context"),
    [
        ("s3:PutObject", "sensor_data/batch_1.json", CREATE),
        ("s3:PutObject", "compacted/sensor_data/hour.parquet", OVERWRITE),
        ("s3:PutObject", "compacted/other/hour.parquet", CREATE),
        ("s3:DeleteObject", "compacted/sensor_data/hour.parquet", OURS),
        ("s3:GetObject", "rejected/batch_1.json", OURS),
        ("s3:GetObject", "sensor_data/batch_1.json", OURS | {"s3:ResourceAccount": "999999999999"}),
    ],
)
def test_the_role_allows_nothing_else(action, key, context):
    assert not may(action, f"{BUCKET}/{key}", context)


def test_the_bucket_refuses_that_anybody_overwrites_a_file():
    anything = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    documents = [anything, properties_of("BucketPolicy", names())["PolicyDocument"]]
    key = f"{BUCKET}/compacted/sensor_data/hour.parquet"
    assert allows(documents, Call("s3:PutObject", key, CREATE))
    assert not allows(documents, Call("s3:PutObject", key, OVERWRITE))


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"Encryption": "CUSTOMER_KEY"}, f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1"),
        ({"ExistingKeyArns": f"{OTHER_KEY},another"}, OTHER_KEY),
    ],
)
def test_keys_may_be_used_if_there_are_some(values, key):
    assert may("kms:Decrypt", key, **values)
    assert not may("kms:Decrypt", key)


def test_in_the_vpc_lambda_may_create_the_network_interface_and_the_code_may_not():
    code = {"lambda:SourceFunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:packed"}
    assert may("ec2:CreateNetworkInterface", "*", CreateVpc="true")
    assert not may("ec2:CreateNetworkInterface", "*", code, CreateVpc="true")
    assert not may("ec2:CreateNetworkInterface", "*")
    assert "VpcConfig" in properties_of("CompactionFunction", names(CreateVpc="true"))


def test_the_log_is_encrypted_with_the_key_of_the_stack_which_allows_it():
    found = names(Encryption="CUSTOMER_KEY")
    log = properties_of("CompactionLogGroup", found)
    assert log["KmsKeyId"] == found["Key.Arn"]
    [statement] = [
        each for each in properties_of("Key", found)["KeyPolicy"]["Statement"] if each["Sid"] == "LogsOfTheFunctions"
    ]
    [arns] = statement["Condition"]["ArnEquals"].values()
    assert f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{log['LogGroupName']}" in arns


# --- The function -----------------------------------------------------------------------------------


def test_the_variables_are_the_settings_of_the_function():
    settings = set(re.findall(r"^    ([A-Z_]+)  ", compaction.__doc__, re.MULTILINE))
    variables = properties_of("CompactionFunction", names())["Environment"]["Variables"]
    assert set(variables) == settings - {"STORE_URL"}


def test_the_defaults_are_those_of_the_function():
    found = properties_of("CompactionFunction", names())["Environment"]["Variables"]
    variables = {name: str(value) for name, value in found.items()}
    bare = {"BUCKET_NAME": "acme"}
    now = compaction.datetime.now(compaction.UTC)
    assert compaction.read_options(variables, now) == compaction.read_options(bare, now)


def test_the_handler_exists():
    module, _, name = properties_of("CompactionFunction", names())["Handler"].rpartition(".")
    assert getattr(__import__(module, fromlist=[name]), name) is compaction.lambda_handler


def test_the_rule_may_call_the_function():
    found = names() | {"CompactionFunction.Arn": "function-arn", "CompactionRule.Arn": "rule-arn"}
    [target] = properties_of("CompactionRule", found)["Targets"]
    permission = properties_of("CompactionPermission", found)
    assert target["Arn"] == "function-arn"
    assert (permission["Principal"], permission["SourceArn"]) == ("events.amazonaws.com", "rule-arn")


@pytest.mark.parametrize(
    ("values", "accepted"),
    [({}, True), ({"Runtime": "python3.11"}, False), ({"Schema": "none"}, False), ({"Schema": "m:Reading"}, True)],
)
def test_a_runtime_without_duckdb_and_records_without_fields_are_refused(values, accepted):
    rule = TEMPLATE["Rules"]["Compaction"]
    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "CreateCompaction"}, "true"]}
    [assertion] = rule["Assertions"]
    assert resolved(assertion["Assert"], names(**values)) is accepted


@pytest.mark.parametrize(
    ("schedule", "accepted"),
    [("rate(1 hour)", True), ("cron(30 * * * ? *)", True), ("hourly", False), ("30 * * * *", False), ("", False)],
)
def test_a_schedule_is_a_rate_or_a_cron_expression(schedule, accepted):
    assert bool(re.fullmatch(PARAMETERS["CompactionSchedule"]["AllowedPattern"], schedule)) is accepted
