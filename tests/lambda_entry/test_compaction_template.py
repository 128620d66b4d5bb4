"""The template of the compaction: its role allows what the function does, and no more; its variables are read."""

from __future__ import annotations

import re

import obstore.store
import pytest

from lambda_entry import compaction
from tests.cloud.iam_evaluator import Call, allows
from tests.cloud.parsed_template import ROOT, parsed
from tests.cloud.resolved_template import resolved
from tests.data.compaction.support import fill
from truckstream import compact

TEMPLATE = parsed((ROOT / "lambda_entry" / "compaction.yaml").read_text(encoding="utf-8"))
RESOURCES = TEMPLATE["Resources"]
ACCOUNT = "000000000000"
BUCKET = "arn:aws:s3:::acme"
OURS = {"s3:ResourceAccount": ACCOUNT}
CREATE = {**OURS, "s3:if-none-match": "*"}


def properties_of(name, **values):
    """The properties of a resource in a stack with these parameters."""
    names = {name: parameter.get("Default") for name, parameter in TEMPLATE["Parameters"].items()}
    names |= {name: name for name in RESOURCES}
    names |= {"BucketName": "acme", "AWS::Partition": "aws", "AWS::AccountId": ACCOUNT, "AWS::StackName": "compaction"}
    names |= {
        "LogGroup.Arn": "log-group",
        "Function.Arn": "function-arn",
        "Rule.Arn": "rule-arn",
        "Role.Arn": "role-arn",
    }
    names |= {"HasKeys": False, "HasTopic": False, "HasBoundary": False, "AWS::NoValue": None, **values}
    return resolved(RESOURCES[name]["Properties"], names)


def may(action, resource, context=OURS, **values):
    [policy] = properties_of("Role", **values)["Policies"]
    return allows([policy["PolicyDocument"]], Call(action, resource, context))


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
        ("s3:PutObject", "compacted/sensor_data/hour.parquet", OURS),
        ("s3:PutObject", "compacted/other/hour.parquet", CREATE),
        ("s3:DeleteObject", "compacted/sensor_data/hour.parquet", OURS),
        ("s3:GetObject", "rejected/batch_1.json", OURS),
        ("s3:GetObject", "sensor_data/batch_1.json", {"s3:ResourceAccount": "999999999999"}),
    ],
)
def test_the_role_allows_nothing_else(action, key, context):
    assert not may(action, f"{BUCKET}/{key}", context)


def test_keys_may_be_used_if_they_are_given():
    key = "arn:aws:kms:us-east-1:000000000000:key/1"
    assert not may("kms:Decrypt", key)
    assert may("kms:Decrypt", key, HasKeys=True, KeyArns=[key])


def test_the_variables_are_the_settings_of_the_function():
    settings = set(re.findall(r"^    ([A-Z_]+)  ", compaction.__doc__, re.MULTILINE))
    variables = properties_of("Function")["Environment"]["Variables"]
    assert set(variables) == settings - {"STORE_URL"}


def test_the_defaults_are_those_of_the_function():
    variables = {name: str(value) for name, value in properties_of("Function")["Environment"]["Variables"].items()}
    bare = {"BUCKET_NAME": "acme"}
    now = compaction.datetime.now(compaction.UTC)
    assert compaction.read_options(variables, now) == compaction.read_options(bare, now)


def test_the_rule_may_call_the_function():
    [target] = properties_of("Rule")["Targets"]
    permission = properties_of("Permission")
    assert target["Arn"] == "function-arn"
    assert (permission["Principal"], permission["SourceArn"]) == ("events.amazonaws.com", "rule-arn")


def test_the_handler_exists():
    module, _, name = properties_of("Function")["Handler"].rpartition(".")
    assert getattr(__import__(module, fromlist=[name]), name) is compaction.lambda_handler


@pytest.mark.parametrize("name", [name for name, each in RESOURCES.items() if each["Type"] == "AWS::CloudWatch::Alarm"])
def test_alarms_go_to_the_topic(name):
    assert "AlarmActions" not in properties_of(name)
    assert properties_of(name, HasTopic=True, AlarmTopic="topic")["AlarmActions"] == ["topic"]
