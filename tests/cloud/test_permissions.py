"""Who may do what, held against the calls that the code makes: a call outside its policy fails here.

Three policies: the deployer's and the watcher's (truckstream policies), against every call that the commands make at
another maker's AWS and against what CloudFormation does for them; the function's and the producer's (template.yaml),
against what the batcher asks of S3 and the producer of Kinesis.
"""

import asyncio
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cfnlint.decode import decode_str

from tests.batcher.support import trucks
from tests.cloud.iam import Call, allows, resolved
from tests.cloud.stand_in import STAND_IN_CANNOT_CREATE
from tests.runtime.support import Bucket
from truckstream.batcher import Batcher
from truckstream.cloud.aws_account import Account
from truckstream.cloud.deployment.deploy import DeployOptions, deploy
from truckstream.cloud.deployment.destroy import destroy
from truckstream.cloud.policies import MAX_POLICY_CHARACTERS, Scope, deploy_policies, watch_policies
from truckstream.cloud.watch.doctor import diagnose
from truckstream.cloud.watch.scaling import scale
from truckstream.cloud.watch.status import read_status

ROOT = Path(__file__).parents[2]
TEMPLATE = json.loads(json.dumps(decode_str((ROOT / "lambda_entry" / "template.yaml").read_text(encoding="utf-8"))[0]))
RESOURCES = TEMPLATE["Resources"]

#: The account of the stand-in.
SCOPE = Scope("000000000000", "us-east-1", stack="Acme", stream="acme-stream", bucket=None)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ANYTHING = "arn:aws:any:us-east-1:000000000000:thing"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:Acme"


# --- The commands' own calls ------------------------------------------------------------------------

S3_ACTIONS = {
    "head_bucket": "ListBucket",
    "head_object": "GetObject",
    "list_objects_v2": "ListBucket",
    "list_object_versions": "ListBucketVersions",
    "get_bucket_encryption": "GetEncryptionConfiguration",
    "get_public_access_block": "GetBucketPublicAccessBlock",
    "put_public_access_block": "PutBucketPublicAccessBlock",
}


def action_of(service, operation):
    name = "".join(word.capitalize() for word in operation.split("_"))
    return f"{service}:{S3_ACTIONS.get(operation, name) if service == 's3' else name}"


def calls_of(service, operation, parameters):
    """A call as IAM sees it. GetCallerIdentity needs no permission."""
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


#: (resource, context) of a call to another service than S3.
PLACES = {
    "cloudformation": lambda _: ("arn:aws:cloudformation:us-east-1:000000000000:stack/Acme/0123", {}),
    "kinesis": lambda given: (f"arn:aws:kinesis:us-east-1:000000000000:stream/{given['StreamName']}", {}),
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


class Recording(Account):
    """An account that notes each call before it is made."""

    def __init__(self, url):
        from aiobotocore.session import get_session  # noqa: PLC0415

        session = get_session()
        session.set_credentials("test", "test")
        super().__init__(region_name="us-east-1", endpoint_url=url, session=session)
        self.calls = []

    async def call(self, service, operation, **parameters):
        self.calls.append((service, operation, parameters))
        return await super().call(service, operation, **parameters)


async def agree(_):
    return True


@pytest.fixture(scope="module")
def recorded(ministack_url):
    """Every call of every command, by those who may change and those who may look."""

    async def record():
        async with Recording(ministack_url) as changing, Recording(ministack_url) as looking:
            options = DeployOptions("Acme", "STORAGE", {"StreamName": "acme-stream"})
            await deploy(changing, options, confirm=agree, poll=0.05)
            done = await deploy(
                changing, DeployOptions("Acme", leave_out=STAND_IN_CANNOT_CREATE), confirm=agree, poll=0.05
            )
            await read_status(looking, "Acme", now=NOW)
            await diagnose(looking, "Acme", now=NOW)
            await scale(looking, "Acme", now=NOW)
            outputs = done.outputs
            await changing.call("s3", "put_object", Bucket=outputs["BucketName"], Key="k", Body=b"", IfNoneMatch="*")
            changing.calls.pop()  # the function's business
            await destroy(changing, "Acme", confirm=agree, delete_data=True, poll=0.05)
        return changing.calls, looking.calls

    return asyncio.run(record())


def refused(calls, documents):
    seen = [call for each in calls for call in calls_of(*each)]
    assert seen
    return sorted({f"{call.action} {call.resource}" for call in seen if not allows(documents, call)})


def test_the_deployer_may_make_every_call_that_the_commands_make(recorded):
    changing, looking = recorded
    documents = deploy_policies(SCOPE, delete_data=True)
    assert refused(changing + looking, documents) == []
    operations = {operation for _, operation, _ in changing}
    assert {"create_change_set", "execute_change_set", "delete_stack", "put_object", "delete_objects"} <= operations


def test_the_watcher_may_look_and_change_nothing(recorded):
    changing, looking = recorded
    documents = watch_policies(SCOPE)
    assert refused(looking, documents) == []
    verbs = {
        action.partition(":")[2]
        for document in documents
        for each in document["Statement"]
        for action in each["Action"]
    }
    assert all(re.match(r"(Get|List|Describe|Filter|Simulate)", verb) for verb in verbs)
    assert refused(changing, documents)


def test_data_may_be_deleted_only_by_those_who_are_told_so(recorded):
    changing, _ = recorded
    kept = refused(changing, deploy_policies(SCOPE))
    assert any(line.startswith("s3:DeleteObject arn:aws:s3:::acme-bucket") for line in kept)


@pytest.mark.parametrize(
    "call",
    [
        Call("kinesis:DeleteStream", "arn:aws:kinesis:us-east-1:000000000000:stream/another"),
        Call("s3:PutObject", "arn:aws:s3:::another-bucket/key"),
        Call("s3:GetObject", "arn:aws:s3:::acme-bucket-1/sensor_data/batch"),
        Call("cloudformation:DeleteStack", "arn:aws:cloudformation:us-east-1:000000000000:stack/another/1"),
        Call("iam:PassRole", "arn:aws:iam::000000000000:role/Admin", {"iam:PassedToService": "lambda.amazonaws.com"}),
        Call(
            "iam:PassRole",
            "arn:aws:iam::000000000000:role/Acme-FunctionRole-1",
            {"iam:PassedToService": "ec2.amazonaws.com"},
        ),
        Call("iam:CreateUser", "arn:aws:iam::000000000000:user/x"),
        Call("lambda:InvokeFunction", "arn:aws:lambda:us-east-1:000000000000:function:Acme"),
        Call("lambda:CreateEventSourceMapping", ANYTHING, {"lambda:FunctionArn": "another"}),
        Call("kms:CreateKey", "*"),
        Call("ec2:CreateVpc", "*"),
    ],
    ids=lambda call: f"{call.action}",
)
def test_the_deployer_may_not(call):
    assert not allows(deploy_policies(SCOPE), call)


def test_each_document_fits_a_managed_policy():
    for documents in (
        watch_policies(SCOPE),
        deploy_policies(SCOPE),
        deploy_policies(SCOPE, customer_key=True, vpc=True, delete_data=True),
    ):
        sizes = [len(json.dumps(document, separators=(",", ":"))) for document in documents]
        assert max(sizes) <= MAX_POLICY_CHARACTERS
        sids = [each["Sid"] for document in documents for each in document["Statement"]]
        assert len(sids) == len(set(sids))


# --- What CloudFormation does for the deployer ------------------------------------------------------

#: What a resource's creation and deletion call with the deployer's permissions, on a resource named so. From the
#: resource types' own lists (CloudFormation registry, "handlers"), as far as the template uses their properties.
CLOUDFORMATION = {
    "AWS::Kinesis::Stream": (
        "kinesis:stream/acme-stream",
        (
            "CreateStream DescribeStreamSummary ListTagsForStream StartStreamEncryption IncreaseStreamRetentionPeriod "
            "UpdateShardCount UpdateStreamMode DeleteStream"
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
        "iam:role/Acme-FunctionRole-1A2B",
        "CreateRole GetRole PutRolePolicy GetRolePolicy DeleteRolePolicy AttachRolePolicy DetachRolePolicy DeleteRole",
    ),
    "AWS::IAM::ManagedPolicy": (
        "iam:policy/Acme-ProducerPolicy-1A2B",
        (
            "CreatePolicy GetPolicy CreatePolicyVersion GetPolicyVersion ListPolicyVersions DeletePolicyVersion "
            "DeletePolicy"
        ),
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
    "AWS::SNS::Topic": ("sns:Acme-Topic-1A2B", "CreateTopic GetTopicAttributes SetTopicAttributes DeleteTopic"),
    "AWS::SNS::TopicPolicy": ("sns:Acme-Topic-1A2B", "SetTopicAttributes"),
    "AWS::SNS::Subscription": ("sns:Acme-Topic-1A2B", "Subscribe Unsubscribe ListSubscriptionsByTopic"),
    "AWS::CloudWatch::Alarm": ("cloudwatch:alarm:Acme-duration", "PutMetricAlarm DescribeAlarms DeleteAlarms"),
    "AWS::CloudWatch::Dashboard": ("cloudwatch:dashboard/Acme", "PutDashboard GetDashboard DeleteDashboards"),
    "AWS::Glue::Database": ("glue:database/truckstream", "CreateDatabase GetDatabase DeleteDatabase"),
    "AWS::Glue::Table": ("glue:table/truckstream/sensor_data", "CreateTable GetTable UpdateTable DeleteTable"),
    "AWS::Athena::WorkGroup": ("athena:workgroup/Acme", "CreateWorkGroup GetWorkGroup UpdateWorkGroup DeleteWorkGroup"),
    "AWS::Athena::NamedQuery": ("athena:workgroup/Acme", "CreateNamedQuery GetNamedQuery DeleteNamedQuery"),
    "AWS::KMS::Key": (
        "kms:key/0123",
        "DescribeKey EnableKeyRotation GetKeyPolicy PutKeyPolicy GetKeyRotationStatus ScheduleKeyDeletion",
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
    region = "" if service == "iam" or resource.startswith("dashboard/") else "us-east-1"
    return f"arn:aws:{service}:{region}:000000000000:{resource}"


@pytest.mark.parametrize("kind", sorted({resource["Type"] for resource in RESOURCES.values()}))
def test_the_deployer_may_make_and_remove(kind):
    place, verbs = CLOUDFORMATION[kind]
    documents = deploy_policies(SCOPE, customer_key=kind == "AWS::KMS::Key", vpc="::EC2::" in kind)
    context = {"lambda:FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:Acme"}
    calls = [Call(f"{place.partition(':')[0]}:{verb}", arn_of(place), context) for verb in verbs.split()]
    assert [call.action for call in calls if not allows(documents, call)] == []


def test_the_deployer_hands_the_function_its_role():
    role = "arn:aws:iam::000000000000:role/Acme-FunctionRole-1A2B"
    assert allows(deploy_policies(SCOPE), Call("iam:PassRole", role, {"iam:PassedToService": "lambda.amazonaws.com"}))


# --- Function and producer --------------------------------------------------------------------------

REFERENCES = {
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "000000000000",
    "AWS::StackName": "Acme",
    "AWS::URLSuffix": "amazonaws.com",
    "Prefix": "sensor_data",
    "RejectedPrefix": "rejected",
    "StreamName": "trucks",
    "Bucket": "lake",
    "Bucket.Arn": "arn:aws:s3:::lake",
    "Stream.Arn": "arn:aws:kinesis:us-east-1:000000000000:stream/trucks",
    "Key.Arn": "arn:aws:kms:us-east-1:0:key/1",
    "LogGroup.Arn": "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/Acme:*",
    "MakeStream": True,
    "MakeBucket": True,
    "UseKey": False,
    "InVpc": False,
}


def role_documents(**conditions):
    [policy] = resolved(RESOURCES["FunctionRole"]["Properties"]["Policies"], {**REFERENCES, **conditions})
    return [policy["PolicyDocument"]]


def bucket_documents():
    return [resolved(RESOURCES["BucketPolicy"]["Properties"]["PolicyDocument"], REFERENCES)]


async def test_the_function_may_make_every_call_of_the_batcher(monkeypatch):
    """Objects created, found by a redelivery, and records refused: each request, judged by role and bucket policy."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    async with Bucket() as bucket:
        batcher = Batcher("s3://lake", region_name="us-east-1", endpoint_url=bucket.endpoint_url, batch_size=10)
        bad = trucks(1, 25)
        bad[0]["kinesis"]["data"] = "IQ=="
        for records in (trucks(25), [*trucks(25), *bad], trucks(20, 5)):
            await batcher.process(records)
    calls = [s3_call(*request) for request in bucket.requests]
    assert {call.action for call in calls} == {"s3:PutObject", "s3:GetObject"}
    assert {call.resource.split("/")[1] for call in calls} == {"sensor_data", "rejected"}
    documents = role_documents() + bucket_documents()
    assert [call for call in calls if not allows(documents, call)] == []


def s3_call(method, path, headers):
    _, bucket, key = path.split("/", 2)
    context = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3", "s3:ObjectCreationOperation": "true"}
    if "If-None-Match" in headers:
        context["s3:if-none-match"] = headers["If-None-Match"]
    action = {"PUT": "s3:PutObject", "GET": "s3:GetObject", "HEAD": "s3:GetObject"}[method]
    return Call(action, f"arn:aws:s3:::{bucket}/{key}", context)


SAFE = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3", "s3:ObjectCreationOperation": "true"}


@pytest.mark.parametrize(
    ("why", "call"),
    [
        ("it would overwrite", Call("s3:PutObject", "arn:aws:s3:::lake/sensor_data/x", SAFE)),
        (
            "without TLS",
            Call("s3:GetObject", "arn:aws:s3:::lake/sensor_data/x", SAFE | {"aws:SecureTransport": "false"}),
        ),
        ("with old TLS", Call("s3:GetObject", "arn:aws:s3:::lake/sensor_data/x", SAFE | {"s3:TlsVersion": "1.1"})),
        ("outside its prefixes", Call("s3:PutObject", "arn:aws:s3:::lake/athena-results/x", SAFE)),
        ("another bucket", Call("s3:GetObject", "arn:aws:s3:::other/sensor_data/x", SAFE)),
        ("it deletes", Call("s3:DeleteObject", "arn:aws:s3:::lake/sensor_data/x", SAFE)),
        ("another stream", Call("kinesis:GetRecords", "arn:aws:kinesis:us-east-1:000000000000:stream/other", SAFE)),
        ("it writes", Call("kinesis:PutRecords", "arn:aws:kinesis:us-east-1:000000000000:stream/trucks", SAFE)),
    ],
)
def test_the_function_may_not(why, call):
    assert not allows(role_documents() + bucket_documents(), call), why


def test_the_function_uses_the_key_where_there_is_one():
    call = Call("kms:GenerateDataKey", "arn:aws:kms:us-east-1:0:key/1")
    assert allows(role_documents(UseKey=True), call)
    assert not allows(role_documents(), call)


def test_in_the_vpc_lambda_makes_the_interface_and_the_code_may_not():
    call = Call("ec2:CreateNetworkInterface", "*")
    code = {"lambda:SourceFunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:Acme"}
    assert allows(role_documents(InVpc=True), call)
    assert not allows(role_documents(InVpc=True), Call(call.action, call.resource, code))
    assert not allows(role_documents(), call)


def test_the_producer_may_make_every_call_that_it_makes():
    source = (ROOT / "truckstream" / "kinesis" / "client.py").read_text(encoding="utf-8")
    made = set(re.findall(r'_call\(\s*"(\w+)"', source))
    assert made == {"PutRecords", "ListShards", "DescribeStreamSummary"}
    documents = [resolved(RESOURCES["ProducerPolicy"]["Properties"]["PolicyDocument"], REFERENCES)]
    stream = REFERENCES["Stream.Arn"]
    assert all(allows(documents, Call(f"kinesis:{name}", stream)) for name in made)
    assert not allows(documents, Call("kinesis:GetRecords", stream))
    assert not allows(documents, Call("kinesis:PutRecords", stream.replace("trucks", "other")))
