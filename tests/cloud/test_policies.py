"""The policies of `truckstream policies` allow every call that the commands make, and nothing that they do not need.

The calls of the commands are recorded on ministack. The calls that CloudFormation makes with the deployer's permissions
are listed below, because no imitation of AWS makes them.
"""

import asyncio
import json
import re
from datetime import UTC, datetime

import pytest

from tests.cloud.iam_evaluator import Call, allows
from tests.cloud.ministack import CANNOT_CREATE
from tests.cloud.parsed_template import RESOURCES
from truckstream.cloud.aws_account import Account
from truckstream.cloud.deployment.deploy import DeployOptions, deploy
from truckstream.cloud.deployment.destroy import destroy
from truckstream.cloud.policies import MAX_POLICY_CHARACTERS, Scope, deploy_policies, watch_policies
from truckstream.cloud.watch.doctor import diagnose
from truckstream.cloud.watch.scaling import scale
from truckstream.cloud.watch.status import read_status

#: ministack's account.
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


class RecordingAccount(Account):
    """An account that records each call before it makes it."""

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
    """Every call of the commands that change the pipeline, and every call of those that only read."""

    async def record():
        async with RecordingAccount(ministack_url) as changing, RecordingAccount(ministack_url) as reading:
            options = DeployOptions("Acme", "STORAGE", {"StreamName": "acme-stream"})
            await deploy(changing, options, confirm=agree, poll=0.05)
            done = await deploy(changing, DeployOptions("Acme", leave_out=CANNOT_CREATE), confirm=agree, poll=0.05)
            await read_status(reading, "Acme", now=NOW)
            await diagnose(reading, "Acme", now=NOW)
            await scale(reading, "Acme", now=NOW)
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
def test_other_calls_of_the_deployer_are_denied(call):
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


# --- CloudFormation's calls with the deployer's permissions -----------------------------------------

#: For each type of resource: a resource, and the actions that CloudFormation needs to create and delete it. They come
#: from the schemas of the types ("handlers" in the CloudFormation registry), for the properties that the template uses.
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
def test_the_deployer_may_create_and_delete_every_type_of_resource(kind):
    place, verbs = CLOUDFORMATION[kind]
    documents = deploy_policies(SCOPE, customer_key=kind == "AWS::KMS::Key", vpc="::EC2::" in kind)
    context = {"lambda:FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:Acme"}
    calls = [Call(f"{place.partition(':')[0]}:{verb}", arn_of(place), context) for verb in verbs.split()]
    assert [call.action for call in calls if not allows(documents, call)] == []


def test_the_deployer_may_pass_the_function_its_role():
    role = "arn:aws:iam::000000000000:role/Acme-FunctionRole-1A2B"
    assert allows(deploy_policies(SCOPE), Call("iam:PassRole", role, {"iam:PassedToService": "lambda.amazonaws.com"}))
