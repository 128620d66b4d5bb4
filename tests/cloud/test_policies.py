"""The policies of `truckstream policies` allow every call that the commands make, and nothing that they do not need.

The calls of the commands are recorded on ministack. The calls that CloudFormation makes with the deployer's permissions
are listed below, because no imitation of AWS makes them. The policies are evaluated by `iam_evaluator`; no AWS account
is behind these tests.
"""

import asyncio
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

import truckstream
from tests.cloud.iam_evaluator import Call, allows
from tests.cloud.ministack import CANNOT_CREATE, session
from tests.cloud.parsed_template import RESOURCES
from tests.cloud.resolved_template import properties_of, references
from tests.cloud.watch.test_doctor_rules import REPAIRS
from truckstream.cloud.aws_account import Account
from truckstream.cloud.deployment.deploy import DeployOptions, deploy
from truckstream.cloud.deployment.destroy import destroy
from truckstream.cloud.policies import (
    MAX_POLICY_CHARACTERS,
    Scope,
    boundary_policy,
    consumer_policy,
    deploy_policies,
    watch_policies,
)
from truckstream.cloud.watch.doctor import diagnose
from truckstream.cloud.watch.reading.streams import list_streams, read_stream
from truckstream.cloud.watch.scaling import scale
from truckstream.cloud.watch.status import read_status
from truckstream.commands.app import app

PACKAGE = Path(truckstream.__file__).parent
#: ministack's account.
SCOPE = Scope("000000000000", "us-east-1", stack="Acme", stream="acme-stream", bucket=None)
#: The longest names, and the longest partition.
LONGEST = Scope("000000000000", "us-gov-west-1", stack="S" * 64, stream="t" * 128)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:Acme"


# --- The commands' own calls ------------------------------------------------------------------------

S3_ACTIONS = {
    "head_bucket": "ListBucket",
    "head_object": "GetObject",
    "list_objects_v2": "ListBucket",
    "list_object_versions": "ListBucketVersions",
    "get_bucket_encryption": "GetEncryptionConfiguration",
    "get_bucket_lifecycle_configuration": "GetLifecycleConfiguration",
    "get_public_access_block": "GetBucketPublicAccessBlock",
    "put_public_access_block": "PutBucketPublicAccessBlock",
}


def action_of(service, operation):
    name = "".join(word.capitalize() for word in operation.split("_"))
    return f"{service}:{S3_ACTIONS.get(operation, name) if service == 's3' else name}"


def calls_of(service, operation, parameters):
    """Return a call of botocore as the calls that IAM checks; none for GetCallerIdentity, which needs no permission."""
    if service == "sts":
        return []
    if service == "s3":
        bucket = f"arn:aws:s3:::{parameters['Bucket']}"
        if operation == "create_bucket":
            return [Call("s3:CreateBucket", bucket), Call("s3:PutBucketOwnershipControls", bucket)]
        if operation == "delete_objects":
            keys = [f"{bucket}/{row['Key']}" for row in parameters["Delete"]["Objects"]]
            return [Call(f"s3:{verb}", key) for key in keys for verb in ("DeleteObject", "DeleteObjectVersion")]
        return [Call(action_of(service, operation), f"{bucket}/{parameters['Key']}" if "Key" in parameters else bucket)]
    return [Call(action_of(service, operation), *PLACES[service](parameters))]


#: For each service except S3: resource and condition keys by the parameters of a call.
PLACES = {
    "cloudformation": lambda _: ("arn:aws:cloudformation:us-east-1:000000000000:stack/Acme/0123", {}),
    "kinesis": lambda given: (
        f"arn:aws:kinesis:us-east-1:000000000000:stream/{given['StreamName']}" if "StreamName" in given else "*",
        {},
    ),
    "logs": lambda given: (f"arn:aws:logs:us-east-1:000000000000:log-group:{given['logGroupName']}:*", {}),
    "sns": lambda given: (given["TopicArn"], {}),
    "iam": lambda given: (given["PolicySourceArn"], {}),
    "cloudwatch": lambda _: ("*", {}),
    "lambda": lambda given: (
        (
            f"arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{given['UUID']}",
            {"lambda:FunctionArn": FUNCTION},
        )
        if "UUID" in given
        else (FUNCTION, {})
    ),
}


class RecordingAccount(Account):
    """An account that records each call before it makes it."""

    def __init__(self, url):
        super().__init__(region_name="us-east-1", endpoint_url=url, session=session())
        self.calls = []

    async def call(self, service, operation, **parameters):
        self.calls.append((service, operation, parameters))
        return await super().call(service, operation, **parameters)


async def agree(_):
    return True


@pytest.fixture(scope="module")
def recorded(ministack_url):
    """Every call of the commands that change the pipeline, and every call of those that only read."""

    async def record():
        async with RecordingAccount(ministack_url) as changing, RecordingAccount(ministack_url) as reading:
            options = DeployOptions("Acme", "STORAGE", {"StreamName": "acme-stream"})
            await deploy(changing, options, confirm=agree, poll=0.05)
            done = await deploy(changing, DeployOptions("Acme", leave_out=CANNOT_CREATE), confirm=agree, poll=0.05)
            await read_status(reading, "Acme", now=NOW)
            await diagnose(reading, "Acme", now=NOW)
            await scale(reading, "Acme", now=NOW)
            await list_streams(reading)
            await read_stream(reading, "acme-stream")
            outputs = done.outputs
            await changing.call("s3", "put_object", Bucket=outputs["BucketName"], Key="k", Body=b"", IfNoneMatch="*")
            changing.calls.pop()  # the function makes this call, not the deployer
            await destroy(changing, "Acme", confirm=agree, delete_data=True, poll=0.05)
        return changing.calls, reading.calls

    return asyncio.run(record())


def denied(calls, documents):
    """Return action and resource of each call that the policies do not allow."""
    checked = [call for each in calls for call in calls_of(*each)]
    assert checked
    return sorted({f"{call.action} {call.resource}" for call in checked if not allows(documents, call)})


def test_the_deployer_may_make_every_call_that_the_commands_make(recorded):
    changing, reading = recorded
    documents = deploy_policies(SCOPE, delete_data=True)
    assert denied(changing + reading, documents) == []
    operations = {operation for _, operation, _ in changing}
    assert {"create_change_set", "execute_change_set", "delete_stack", "put_object", "delete_objects"} <= operations


def test_the_watcher_may_read_and_change_nothing(recorded):
    changing, reading = recorded
    documents = watch_policies(SCOPE)
    assert denied(reading, documents) == []
    assert {"list_streams", "list_shards"} <= {operation for _, operation, _ in reading}
    assert not any(allows(documents, Call(f"kinesis:{each}", STREAM)) for each in ("GetRecords", "GetShardIterator"))
    verbs = {
        action.partition(":")[2]
        for document in documents
        for each in document["Statement"]
        for action in each["Action"]
    }
    assert all(re.match(r"(Get|List|Describe|Filter|Simulate)", verb) for verb in verbs)
    assert denied(changing, documents)


def test_only_the_policies_with_delete_data_allow_the_deletion_of_data(recorded):
    changing, _ = recorded
    kept = denied(changing, deploy_policies(SCOPE))
    assert any(line.startswith("s3:DeleteObject arn:aws:s3:::acme-bucket") for line in kept)


# --- The repairs of the doctor ----------------------------------------------------------------------

#: What the repairs act on, as `PLACES` does for the commands' own calls, by the flag that names it.
REPAIRED = {
    "--uuid": ("arn:aws:lambda:us-east-1:000000000000:event-source-mapping:1", {"lambda:FunctionArn": FUNCTION}),
    "--function-name": (FUNCTION, {}),
    "--stream-name": ("arn:aws:kinesis:us-east-1:000000000000:stream/acme-stream", {}),
    "--bucket": ("arn:aws:s3:::acme-bucket-1a2b", {}),
}


@pytest.mark.parametrize("repair", [repair for repair in REPAIRS if "aws " in repair])
def test_the_deployer_may_run_the_repairs_that_the_doctor_prints(repair):
    service, operation, flag = repair[repair.index("aws ") :].split()[1:4]
    service = service.removesuffix("api")
    name = operation.replace("-", "_")
    action = action_of(service, name) if name != "put_bucket_encryption" else "s3:PutEncryptionConfiguration"
    assert allows(deploy_policies(SCOPE), Call(action, *REPAIRED[flag]))
    assert not allows(watch_policies(SCOPE), Call(action, *REPAIRED[flag]))


# --- Calls that are denied --------------------------------------------------------------------------

BOUNDARY = "arn:aws:iam::000000000000:policy/truckstream-boundary/Acme"
ROLE = "arn:aws:iam::000000000000:role/truckstream/Acme/Acme-FunctionRole-1A2B"
PRODUCERS = "arn:aws:iam::000000000000:policy/truckstream/Acme/Acme-ProducerPolicy-1A2B"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/acme-stream"
KEY = "arn:aws:kms:us-east-1:000000000000:key/0123"
VPC = "arn:aws:ec2:us-east-1:000000000000:vpc/vpc-1"

#: What IAM knows of a call that CloudFormation makes for the stack, with every condition of the policies fulfilled.
BY_CLOUDFORMATION = {
    "aoss:collection": "truckstream",
    "aws:CalledVia": ["cloudformation.amazonaws.com"],
    "lambda:FunctionArn": FUNCTION,
    "iam:PermissionsBoundary": BOUNDARY,
    "iam:PolicyARN": PRODUCERS,
    "iam:PassedToService": "lambda.amazonaws.com",
    "aws:RequestTag/truckstream:stack": "Acme",
    "aws:ResourceTag/truckstream:stack": "Acme",
    "aws:ResourceTag/aws:cloudformation:stack-name": "Acme",
    "kms:ScheduleKeyDeletionPendingWindowInDays": "30",
}


def by_cloudformation(action, resource, /, **changed):
    """Return a call of CloudFormation with changed context; None leaves a key out."""
    names = {
        "boundary": "iam:PermissionsBoundary",
        "attaches": "iam:PolicyARN",
        "passed_to": "iam:PassedToService",
        "key_of": "aws:ResourceTag/truckstream:stack",
        "network_of": "aws:ResourceTag/aws:cloudformation:stack-name",
        "tagged_as": "aws:RequestTag/truckstream:stack",
        "days": "kms:ScheduleKeyDeletionPendingWindowInDays",
        "function": "lambda:FunctionArn",
        "collection": "aoss:collection",
    }
    context = BY_CLOUDFORMATION | {names[name]: value for name, value in changed.items()}
    return Call(action, resource, {key: value for key, value in context.items() if value is not None})


def directly(action, resource):
    """Return a call that the holder makes without CloudFormation, with every other condition fulfilled."""
    return Call(action, resource, {key: value for key, value in BY_CLOUDFORMATION.items() if key != "aws:CalledVia"})


DENIED = {
    "become administrator": [
        by_cloudformation("iam:CreateRole", ROLE, boundary=None),
        by_cloudformation("iam:CreateRole", ROLE, boundary=ADMINISTRATOR),
        by_cloudformation("iam:CreateRole", "arn:aws:iam::000000000000:role/Acme-FunctionRole-1"),
        by_cloudformation("iam:PutRolePolicy", ROLE, boundary=None),
        by_cloudformation("iam:AttachRolePolicy", ROLE, attaches=ADMINISTRATOR),
        by_cloudformation("iam:AttachRolePolicy", ROLE, boundary=None),
        by_cloudformation("iam:PutRolePermissionsBoundary", ROLE, boundary=ADMINISTRATOR),
        by_cloudformation("iam:DeleteRolePermissionsBoundary", ROLE),
        by_cloudformation("iam:UpdateAssumeRolePolicy", "arn:aws:iam::000000000000:role/Admin"),
        by_cloudformation("iam:PassRole", "arn:aws:iam::000000000000:role/Admin"),
        by_cloudformation("iam:PassRole", ROLE, passed_to="ec2.amazonaws.com"),
        by_cloudformation("iam:CreateUser", "arn:aws:iam::000000000000:user/x"),
        by_cloudformation("iam:AttachUserPolicy", "arn:aws:iam::000000000000:user/x"),
        directly("iam:CreateRole", ROLE),
        directly("lambda:UpdateFunctionCode", FUNCTION),
    ],
    "change a policy that others have": [
        *(
            by_cloudformation(f"iam:{verb}", policy)
            for verb in ("CreatePolicyVersion", "SetDefaultPolicyVersion")
            for policy in (PRODUCERS, BOUNDARY)
        ),
        by_cloudformation("iam:DeletePolicy", BOUNDARY),
        by_cloudformation("iam:CreatePolicy", BOUNDARY),
    ],
    "delete streams, records or objects": [
        by_cloudformation("kinesis:DeleteStream", STREAM),
        directly("kinesis:DeleteStream", STREAM),
        directly("kinesis:DecreaseStreamRetentionPeriod", STREAM),
        directly("s3:PutLifecycleConfiguration", "arn:aws:s3:::acme-bucket-1"),
        by_cloudformation("s3:DeleteObject", "arn:aws:s3:::acme-bucket-1/sensor_data/x"),
        by_cloudformation("s3:DeleteObject", "arn:aws:s3:::acme-failedbucket-1/aws/lambda/x"),
    ],
    "use other keys": [
        *(by_cloudformation(f"kms:{verb}", KEY, key_of=None) for verb in ("Decrypt", "CreateGrant", "PutKeyPolicy")),
        by_cloudformation("kms:Decrypt", KEY, key_of="another"),
        by_cloudformation("kms:ScheduleKeyDeletion", KEY, key_of=None),
        by_cloudformation("kms:ScheduleKeyDeletion", KEY, days="7"),
        by_cloudformation("kms:TagResource", KEY, tagged_as="another"),
        by_cloudformation("kms:CreateKey", "*", tagged_as=None),
        directly("kms:TagResource", KEY),
        directly("kms:Decrypt", KEY),
    ],
    "change another network": [
        *(
            by_cloudformation(f"ec2:{verb}", VPC, network_of=other)
            for verb in ("DeleteVpc", "ModifyVpcAttribute", "DeleteSubnet", "AuthorizeSecurityGroupIngress")
            for other in (None, "another")
        ),
        by_cloudformation("ec2:CreateTags", VPC, network_of=None),
        by_cloudformation("ec2:CreateSubnet", VPC, network_of=None),
        by_cloudformation("ec2:CreateVpcEndpoint", "arn:aws:ec2:us-east-1:000000000000:route-table/1", network_of=None),
        directly("ec2:DeleteVpc", VPC),
    ],
    "touch other stacks": [
        by_cloudformation("kinesis:UpdateShardCount", STREAM.replace("acme-stream", "another")),
        by_cloudformation("cloudformation:DeleteStack", "arn:aws:cloudformation:us-east-1:000000000000:stack/Acme-2/1"),
        by_cloudformation("s3:PutObject", "arn:aws:s3:::another-bucket/key"),
        by_cloudformation("s3:GetObject", "arn:aws:s3:::acme-bucket-1/sensor_data/batch"),
        by_cloudformation("lambda:InvokeFunction", FUNCTION),
        by_cloudformation("lambda:CreateEventSourceMapping", "*", function="another"),
        by_cloudformation("iam:PutRolePolicy", ROLE.replace("/Acme/", "/Acme-2/")),
        by_cloudformation("cloudwatch:DeleteAlarms", "arn:aws:cloudwatch:us-east-1:000000000000:alarm:Acme-2-duration"),
        by_cloudformation("logs:DeleteLogGroup", "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/Acme-2"),
        by_cloudformation("glue:DeleteDatabase", "arn:aws:glue:us-east-1:000000000000:database/truckstream"),
        Call(
            "cloudformation:CreateChangeSet",
            "arn:aws:cloudformation:us-east-1:000000000000:stack/Acme/1",
            {"cloudformation:ImportResourceTypes": ["AWS::KMS::Key"]},
        ),
    ],
}


@pytest.mark.parametrize("goal", DENIED)
def test_the_deployer_cannot(goal):
    documents = deploy_policies(SCOPE, customer_key=True, vpc=True)
    assert [call for call in DENIED[goal] if allows(documents, call)] == []


def test_each_denied_call_is_near_an_allowed_one():
    """A call that no policy mentions proves little: most are denied by their conditions or resource alone."""
    documents = deploy_policies(SCOPE, customer_key=True, vpc=True)
    mentioned = {action for document in documents for each in document["Statement"] for action in each["Action"]}
    calls = [call for calls in DENIED.values() for call in calls]
    assert len({call.action for call in calls if call.action in mentioned}) >= 25


COMPACTION = "arn:aws:lambda:us-east-1:000000000000:function:Acme-CompactionFunction-1A2B"
COMPACTION_LOG = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/Acme/compaction"


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("lambda:CreateFunction", COMPACTION),
        ("lambda:UpdateFunctionCode", COMPACTION),
        ("logs:CreateLogGroup", COMPACTION_LOG),
        ("logs:PutRetentionPolicy", COMPACTION_LOG),
        ("cloudwatch:PutMetricAlarm", "arn:aws:cloudwatch:us-east-1:000000000000:alarm:Acme-compactions-failed"),
    ],
)
def test_the_deployer_may_deploy_the_compaction_through_cloudformation(action, resource):
    documents = deploy_policies(SCOPE, compaction=True)
    assert allows(documents, by_cloudformation(action, resource))
    assert not allows(documents, directly(action, resource))


def test_without_their_extras_the_policies_allow_neither_keys_nor_networks():
    documents = deploy_policies(SCOPE)
    assert not allows(documents, by_cloudformation("kms:CreateKey", "*"))
    assert not allows(documents, by_cloudformation("ec2:CreateVpc", VPC))
    assert not allows(documents, by_cloudformation("lambda:CreateFunction", COMPACTION))
    assert not allows(documents, by_cloudformation("aoss:CreateCollection", "*"))
    assert not allows(documents, by_cloudformation("osis:CreatePipeline", arn_of("osis:pipeline/truckstream")))
    assert not allows(
        documents, by_cloudformation("quicksight:CreateDashboard", arn_of("quicksight:dashboard/Acme-fleet"))
    )
    assert not allows(documents, by_cloudformation("kinesisanalytics:CreateApplication", FLINK))


@pytest.mark.parametrize(
    "call",
    [
        by_cloudformation("aoss:DeleteCollection", "*", collection="another"),
        by_cloudformation("aoss:UpdateAccessPolicy", "*", collection="another"),
        by_cloudformation("osis:UpdatePipeline", "arn:aws:osis:us-east-1:000000000000:pipeline/another"),
        by_cloudformation("quicksight:DeleteDataSet", "arn:aws:quicksight:us-east-1:000000000000:dataset/another"),
        Call("aoss:DeleteCollection", "*", {"aoss:collection": "truckstream"}),
        Call("iam:CreateServiceLinkedRole", "arn:aws:iam::000000000000:role/aws-service-role/x.amazonaws.com/y"),
    ],
    ids=lambda call: call.action,
)
def test_search_and_quicksight_open_nothing_else(call):
    assert not allows(deploy_policies(SCOPE, search=True, quicksight=True), call)


FLINK = "arn:aws:kinesisanalytics:us-east-1:000000000000:application/Acme"


def test_the_deployer_may_start_the_flink_application_and_change_it_through_cloudformation_alone():
    documents = deploy_policies(SCOPE, flink=True)
    assert allows(documents, directly("kinesisanalytics:StartApplication", FLINK))
    assert allows(documents, Call("iam:PassRole", ROLE, {"iam:PassedToService": "kinesisanalytics.amazonaws.com"}))
    assert not allows(documents, directly("kinesisanalytics:UpdateApplication", FLINK))
    assert not allows(documents, by_cloudformation("kinesisanalytics:CreateApplication", f"{FLINK}-2"))


# --- The permissions boundary -----------------------------------------------------------------------


def calls_of_statement(statement):
    """Return a call for each action and resource of an Allow statement, with its own conditions fulfilled."""
    context = {"aws:ResourceTag/truckstream:stack": "Acme", "aoss:collection": "truckstream"}
    if statement["Effect"] == "Deny":
        return []
    resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
    actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
    return [Call(action, resource, context) for action in actions for resource in resources]


def test_the_boundary_allows_everything_that_the_roles_of_the_template_allow():
    names = references(
        "Acme",
        StreamName="acme-stream",
        Bucket="acme-bucket-1a2b",
        FailedBucket="acme-failedbucket-1a2b",
        Encryption="CUSTOMER_KEY",
        CreateVpc="true",
        CreateCompaction="true",
        CreateSearch="true",
        CreateFlink="true",
        CodeBucket="truckstream-artifacts-000000000000-us-east-1",
        FlinkCodeKey="Acme/0123.zip",
    )
    names_of_roles = ("FunctionRole", "CompactionRole", "IngestionRole", "FlinkRole")
    roles = [properties_of(role, names) for role in names_of_roles]
    documents = [policy["PolicyDocument"] for role in roles for policy in role["Policies"]]
    documents.append(properties_of("ProducerPolicy", names)["PolicyDocument"])
    calls = [call for document in documents for each in document["Statement"] for call in calls_of_statement(each)]
    assert len(calls) > 25
    assert [call for call in calls if not allows([boundary_policy(SCOPE)], call)] == []


@pytest.mark.parametrize(
    "call",
    [
        Call("iam:CreateUser", "arn:aws:iam::000000000000:user/x"),
        Call("s3:DeleteObject", "arn:aws:s3:::acme-bucket-1/sensor_data/x"),
        Call("s3:PutObject", "arn:aws:s3:::truckstream-artifacts-000000000000-us-east-1/Acme/x.zip"),
        Call("s3:GetObject", "arn:aws:s3:::truckstream-artifacts-000000000000-us-east-1/other/x.zip"),
        Call("s3:GetObject", "arn:aws:s3:::another/x"),
        Call("kinesis:DeleteStream", STREAM),
        Call("kinesis:GetRecords", STREAM.replace("acme-stream", "another")),
        Call("kms:Decrypt", KEY),
        Call("sts:AssumeRole", "arn:aws:iam::000000000000:role/Admin"),
        Call("lambda:InvokeFunction", FUNCTION),
    ],
    ids=lambda call: call.action,
)
def test_no_role_of_the_stack_can_do_more_than_the_boundary_allows(call):
    """Whatever policies the deployer gives to a role."""
    anything = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    assert allows([anything], call)
    assert not allows([boundary_policy(SCOPE)], call)


@pytest.mark.parametrize(("service", "allowed"), [("s3", True), ("kinesis", True), ("secretsmanager", False)])
def test_the_boundary_allows_other_keys_only_for_data_of_the_stack(service, allowed):
    """An existing bucket or stream may be encrypted with a key that has not the stack's tag."""
    call = Call("kms:Decrypt", KEY, {"kms:ViaService": f"{service}.us-east-1.amazonaws.com"})
    assert allows([boundary_policy(SCOPE)], call) is allowed


def test_no_pattern_of_the_stack_matches_the_boundary():
    """Not even in a stack whose name is chosen for it."""
    for stack in ("Acme", "truckstream-boundary", "boundary", "truckstream"):
        scope = Scope("000000000000", "us-east-1", stack)
        calls = [Call(f"iam:{verb}", scope.boundary, BY_CLOUDFORMATION) for verb in ("DeletePolicy", "CreatePolicy")]
        assert not any(allows(deploy_policies(scope), call) for call in calls)


@pytest.mark.parametrize("length", [1, 16, 45, 64])
def test_the_policies_know_the_buckets_of_every_stack_name(length):
    """CloudFormation shortens a generated name of more than 63 characters, within the stack's name."""
    stack = ("Ab" * 32)[:length]
    kept = stack if length <= 36 else stack[:24]
    call = Call("s3:ListBucket", f"arn:aws:s3:::{kept}-failedbucket-1a2b3c4d5e6f".lower(), {})
    assert allows(watch_policies(Scope("000000000000", "us-east-1", stack)), call)


EVERYTHING = dict.fromkeys(("customer_key", "vpc", "compaction", "search", "quicksight", "flink", "delete_data"), True)


def test_each_document_fits_a_managed_policy():
    for documents in (
        watch_policies(SCOPE),
        deploy_policies(SCOPE),
        deploy_policies(SCOPE, **EVERYTHING),
        deploy_policies(LONGEST, **EVERYTHING),
        [boundary_policy(LONGEST)],
        [consumer_policy(LONGEST, "a" * 255)],
    ):
        sizes = [len(json.dumps(document, separators=(",", ":"))) for document in documents]
        assert max(sizes) <= MAX_POLICY_CHARACTERS
        assert len(documents) <= 10  # the managed policies of a user or role
        sids = [each["Sid"] for document in documents for each in document["Statement"]]
        assert len(sids) == len(set(sids))


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        ("deploy", deploy_policies),
        ("watch", watch_policies),
        ("boundary", lambda scope: (boundary_policy(scope),)),
        ("consumer", lambda scope: (consumer_policy(scope, "lake"),)),
    ],
)
def test_the_command_prints_the_policies(of, expected, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("STREAM_NAME", "BUCKET_NAME", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    words = ["policies", "--of", of, "--stack", "Acme", "--region", "eu-west-1", "--account", "000000000000"]
    words += ["--application", "lake"] if of == "consumer" else []
    app(words, result_action="return_value")
    scope = Scope("000000000000", "eu-west-1", "Acme")
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(expected(scope)))


# --- The consumer's calls ---------------------------------------------------------------------------

TABLE = "arn:aws:dynamodb:us-east-1:000000000000:table/lake"
READING = {
    "DescribeStreamSummary": STREAM,
    "GetRecords": STREAM,
    "GetShardIterator": STREAM,
    "ListShards": STREAM,
    "RegisterStreamConsumer": STREAM,
    "DescribeStreamConsumer": f"{STREAM}/consumer/lake:1700000000",
    "SubscribeToShard": f"{STREAM}/consumer/lake:1700000000",
}


def test_the_consumer_may_make_every_call_that_it_makes_and_reach_no_other_stream_or_table():
    documents = [consumer_policy(SCOPE, "lake")]
    sources = "".join(path.read_text() for path in (PACKAGE / "kinesis").rglob("*.py"))
    assert set(re.findall(r'(?:_call|call|exchange)\(\s*"(\w+)"', sources)) == {*READING, "PutRecords"}
    table = (PACKAGE / "consumer" / "tables" / "dynamodb_table.py").read_text()
    operations = set(re.findall(r'_call\(\s*"(\w+)"', table))
    assert operations >= {"scan", "update_item", "create_table"}
    calls = [(f"kinesis:{operation}", resource) for operation, resource in READING.items()]
    calls += [("dynamodb:" + each.title().replace("_", ""), TABLE) for each in operations]
    for action, resource in calls:
        assert allows(documents, Call(action, resource, {})), action
        other = resource.replace("acme-stream", "acme-other").replace("table/lake", "table/lake2")
        assert not allows(documents, Call(action, other, {})), action
    assert not allows(documents, Call("kinesis:PutRecords", STREAM, {}))
    assert not allows(documents, Call("dynamodb:DeleteTable", TABLE, {}))


# --- CloudFormation's calls with the deployer's permissions -----------------------------------------

#: For each type of resource: a resource, and the actions that CloudFormation needs to create and delete it. They come
#: from the schemas of the types ("handlers" in the CloudFormation registry), for the properties that the template uses.
CLOUDFORMATION = {
    "AWS::Kinesis::Stream": (
        "kinesis:stream/acme-stream",
        (
            "CreateStream DescribeStreamSummary ListTagsForStream StartStreamEncryption IncreaseStreamRetentionPeriod "
            "UpdateShardCount UpdateStreamMode TagResource ListTagsForResource"
        ),
    ),
    "AWS::S3::Bucket": (
        "s3:acme-bucket-1a2b",
        (
            "CreateBucket DeleteBucket PutEncryptionConfiguration PutBucketPublicAccessBlock "
            "PutBucketOwnershipControls PutBucketVersioning PutLifecycleConfiguration PutBucketLogging"
        ),
    ),
    "AWS::S3::BucketPolicy": ("s3:acme-bucket-1a2b", "PutBucketPolicy GetBucketPolicy DeleteBucketPolicy"),
    "AWS::Logs::LogGroup": (
        "logs:log-group:/aws/lambda/Acme",
        "CreateLogGroup PutRetentionPolicy DeleteLogGroup ListTagsForResource",
    ),
    "AWS::IAM::Role": (
        "iam:role/truckstream/Acme/Acme-FunctionRole-1A2B",
        (
            "CreateRole GetRole PutRolePolicy GetRolePolicy DeleteRolePolicy AttachRolePolicy DetachRolePolicy "
            "PutRolePermissionsBoundary DeleteRole"
        ),
    ),
    "AWS::IAM::ManagedPolicy": (
        "iam:policy/truckstream/Acme/Acme-ProducerPolicy-1A2B",
        # The template never changes the document of a policy: a changed description replaces the policy.
        "CreatePolicy GetPolicy GetPolicyVersion ListPolicyVersions DeletePolicy",
    ),
    "AWS::Lambda::Function": (
        "lambda:function:Acme",
        (
            "CreateFunction GetFunction UpdateFunctionCode UpdateFunctionConfiguration PutFunctionConcurrency "
            "DeleteFunctionConcurrency DeleteFunction"
        ),
    ),
    "AWS::Lambda::EventSourceMapping": (
        "lambda:event-source-mapping:1",
        "CreateEventSourceMapping GetEventSourceMapping UpdateEventSourceMapping DeleteEventSourceMapping",
    ),
    "AWS::Lambda::EventInvokeConfig": (
        "lambda:function:Acme-CompactionFunction-1A2B",
        "PutFunctionEventInvokeConfig GetFunctionEventInvokeConfig DeleteFunctionEventInvokeConfig",
    ),
    "AWS::Lambda::Permission": (
        "lambda:function:Acme-CompactionFunction-1A2B",
        "AddPermission GetPolicy RemovePermission",
    ),
    "AWS::Events::Rule": (
        "events:rule/Acme-CompactionRule-1A2B",
        "PutRule DescribeRule PutTargets ListTargetsByRule RemoveTargets DeleteRule",
    ),
    "AWS::OpenSearchServerless::SecurityPolicy": (
        "aoss:*",
        "CreateSecurityPolicy GetSecurityPolicy UpdateSecurityPolicy DeleteSecurityPolicy",
    ),
    "AWS::OpenSearchServerless::AccessPolicy": (
        "aoss:*",
        "CreateAccessPolicy GetAccessPolicy UpdateAccessPolicy DeleteAccessPolicy",
    ),
    "AWS::OpenSearchServerless::Collection": (
        "aoss:collection/1",
        "CreateCollection BatchGetCollection UpdateCollection DeleteCollection",
    ),
    "AWS::OSIS::Pipeline": ("osis:pipeline/truckstream", "CreatePipeline GetPipeline UpdatePipeline DeletePipeline"),
    "AWS::QuickSight::DataSource": (
        "quicksight:datasource/Acme-records",
        "CreateDataSource DescribeDataSource DescribeDataSourcePermissions UpdateDataSource DeleteDataSource",
    ),
    "AWS::QuickSight::DataSet": (
        "quicksight:dataset/Acme-reports",
        "CreateDataSet DescribeDataSet DescribeDataSetPermissions UpdateDataSet PassDataSet DeleteDataSet",
    ),
    "AWS::QuickSight::Dashboard": (
        "quicksight:dashboard/Acme-fleet",
        "CreateDashboard DescribeDashboard UpdateDashboard UpdateDashboardPublishedVersion DeleteDashboard",
    ),
    "AWS::Logs::LogStream": (
        "logs:log-group:/aws/lambda/Acme/flink",
        "CreateLogStream DescribeLogStreams DeleteLogStream",
    ),
    "AWS::KinesisAnalyticsV2::Application": (
        "kinesisanalytics:application/Acme",
        "CreateApplication DescribeApplication UpdateApplication ListTagsForResource DeleteApplication",
    ),
    "AWS::KinesisAnalyticsV2::ApplicationCloudWatchLoggingOption": (
        "kinesisanalytics:application/Acme",
        (
            "AddApplicationCloudWatchLoggingOption DescribeApplication UpdateApplication "
            "DeleteApplicationCloudWatchLoggingOption"
        ),
    ),
    "AWS::SNS::Topic": ("sns:Acme-Topic-1A2B", "CreateTopic GetTopicAttributes SetTopicAttributes DeleteTopic"),
    "AWS::SNS::TopicPolicy": ("sns:Acme-Topic-1A2B", "SetTopicAttributes"),
    "AWS::SNS::Subscription": ("sns:Acme-Topic-1A2B", "Subscribe Unsubscribe ListSubscriptionsByTopic"),
    "AWS::CloudWatch::Alarm": ("cloudwatch:alarm:Acme-duration", "PutMetricAlarm DescribeAlarms DeleteAlarms"),
    "AWS::CloudWatch::Dashboard": ("cloudwatch:dashboard/Acme", "PutDashboard GetDashboard DeleteDashboards"),
    "AWS::Logs::QueryDefinition": ("logs:*", "PutQueryDefinition DescribeQueryDefinitions DeleteQueryDefinition"),
    "AWS::Glue::Database": ("glue:database/truckstream_1a2b3c4d", "CreateDatabase GetDatabase DeleteDatabase"),
    "AWS::Glue::Table": ("glue:table/truckstream_1a2b3c4d/sensor_data", "CreateTable GetTable UpdateTable DeleteTable"),
    "AWS::Athena::WorkGroup": ("athena:workgroup/Acme", "CreateWorkGroup GetWorkGroup UpdateWorkGroup DeleteWorkGroup"),
    "AWS::Athena::NamedQuery": ("athena:workgroup/Acme", "CreateNamedQuery GetNamedQuery DeleteNamedQuery"),
    "AWS::KMS::Key": (
        "kms:key/0123",
        (
            "CreateKey TagResource DescribeKey EnableKeyRotation GetKeyPolicy PutKeyPolicy GetKeyRotationStatus "
            "ScheduleKeyDeletion"
        ),
    ),
    "AWS::EC2::VPC": ("ec2:vpc/1", "CreateVpc DescribeVpcs ModifyVpcAttribute DeleteVpc CreateTags"),
    "AWS::EC2::Subnet": ("ec2:subnet/1", "CreateSubnet DescribeSubnets ModifySubnetAttribute DeleteSubnet"),
    "AWS::EC2::RouteTable": ("ec2:route-table/1", "CreateRouteTable DescribeRouteTables DeleteRouteTable"),
    "AWS::EC2::SubnetRouteTableAssociation": ("ec2:route-table/1", "AssociateRouteTable DisassociateRouteTable"),
    "AWS::EC2::NetworkAcl": ("ec2:network-acl/1", "CreateNetworkAcl DescribeNetworkAcls DeleteNetworkAcl"),
    "AWS::EC2::NetworkAclEntry": ("ec2:network-acl/1", "CreateNetworkAclEntry DeleteNetworkAclEntry"),
    "AWS::EC2::SubnetNetworkAclAssociation": ("ec2:network-acl/1", "ReplaceNetworkAclAssociation DescribeNetworkAcls"),
    "AWS::EC2::SecurityGroup": (
        "ec2:security-group/1",
        (
            "CreateSecurityGroup AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress RevokeSecurityGroupEgress "
            "DescribeSecurityGroups DeleteSecurityGroup"
        ),
    ),
    "AWS::EC2::VPCEndpoint": ("ec2:vpc-endpoint/1", "CreateVpcEndpoint DescribeVpcEndpoints DeleteVpcEndpoints"),
}


def arn_of(place):
    service, _, resource = place.partition(":")
    if service == "s3":
        return f"arn:aws:s3:::{resource}"
    region = "" if service == "iam" or place.startswith("cloudwatch:dashboard/") else "us-east-1"
    return f"arn:aws:{service}:{region}:000000000000:{resource}"


#: Types that only the compaction has.
OF_THE_COMPACTION = ("AWS::Lambda::EventInvokeConfig", "AWS::Lambda::Permission", "AWS::Events::Rule")
#: Types that only the Flink application has.
OF_FLINK = (
    *("AWS::KinesisAnalyticsV2::Application", "AWS::KinesisAnalyticsV2::ApplicationCloudWatchLoggingOption"),
    "AWS::Logs::LogStream",
)
#: Actions that create a resource, which has no tags before.
CREATION = ("CreateKey", "CreateVpc", "CreateRole")


@pytest.mark.parametrize("kind", sorted({resource["Type"] for resource in RESOURCES.values()}))
def test_the_deployer_may_create_and_delete_every_type_of_resource(kind):
    place, verbs = CLOUDFORMATION[kind]
    documents = deploy_policies(
        SCOPE,
        customer_key=kind == "AWS::KMS::Key",
        vpc="::EC2::" in kind,
        compaction=kind in OF_THE_COMPACTION,
        search="::OpenSearchServerless::" in kind or "::OSIS::" in kind,
        quicksight="::QuickSight::" in kind,
        flink=kind in OF_FLINK,
    )
    service = place.partition(":")[0]
    calls = [by_cloudformation(f"{service}:{verb}", arn_of(place)) for verb in verbs.split()]
    calls += [
        by_cloudformation(call.action, call.resource, key_of=None, network_of=None)
        for call in calls
        if call.action.endswith(CREATION)
    ]
    assert [call.action for call in calls if not allows(documents, call)] == []


def test_the_deployer_may_tag_what_it_makes_in_the_network():
    tag = by_cloudformation("ec2:CreateTags", VPC, network_of=None)
    made = Call(tag.action, tag.resource, tag.context | {"ec2:CreateAction": "CreateVpc"})
    assert allows(deploy_policies(SCOPE, vpc=True), made)


def test_the_deployer_may_pass_the_function_its_role():
    assert allows(deploy_policies(SCOPE), Call("iam:PassRole", ROLE, {"iam:PassedToService": "lambda.amazonaws.com"}))
