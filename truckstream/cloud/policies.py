"""Least-privilege IAM policies for the people who run the commands.

CloudFormation acts with its caller's permissions, so the deployer's policy allows every action that the template's
resources need, limited to the names that the stack gives them where AWS permits it. The template itself contains the
permissions of the function and of the producers. tests/cloud/test_policies.py checks the policies against the calls of
the commands.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from truckstream.cloud.deployment.stack import check_stack_name
from truckstream.cloud.partitions import partition_of

__all__ = ["MAX_POLICY_CHARACTERS", "Scope", "deploy_policies", "watch_policies"]

Statement = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scope:
    """The deployment whose resources a policy names.

    Args:
        account: the ID of the AWS account, twelve digits.
        region: the AWS region, such as us-east-1.
        stack: the name of the stack.
        stream: the name of the stream.
        bucket: the name of the bucket, or None if CloudFormation chooses it.
        database: the name of the Athena database.

    Raises:
        InvalidArgumentError: the stack's name breaks a rule; one with a wildcard would allow access to other stacks.
    """

    account: str
    region: str
    stack: str = "truckstream"
    stream: str = "truck-sensor-stream"
    bucket: str | None = None
    database: str = "truckstream"

    def __post_init__(self) -> None:
        check_stack_name(self.stack)

    @property
    def partition(self) -> str:
        return partition_of(self.region).name

    def arn(self, service: str, resource: str, *, region: bool = True, account: bool = True) -> str:
        where = self.region if region else ""
        return f"arn:{self.partition}:{service}:{where}:{self.account if account else ''}:{resource}"

    @property
    def buckets(self) -> str:
        """ARN of the bucket. A name that CloudFormation chooses begins with the stack's name in lower case."""
        name = self.bucket or f"{self.stack.lower()}-bucket-*"
        return self.arn("s3", name, region=False, account=False)

    @property
    def artifacts(self) -> str:
        name = f"truckstream-artifacts-{self.account}-{self.region}"
        return self.arn("s3", name, region=False, account=False)


#: Size limit of a managed policy in IAM, in characters; white space does not count.
MAX_POLICY_CHARACTERS: Final = 6_144


def deploy_policies(
    scope: Scope, *, customer_key: bool = False, vpc: bool = False, delete_data: bool = False
) -> tuple[dict[str, Any], ...]:
    """Return the policies for `provision`, `deploy`, `scale --apply` and `destroy`; attach all of them together.

    They include the permissions of `watch_policies`.

    Args:
        scope: the deployment to which the permissions apply.
        customer_key: include the permissions for Encryption=CUSTOMER_KEY.
        vpc: include the permissions for CreateVpc=true.
        delete_data: include the permissions for `destroy --delete-data`.
    """
    statements = [*_stack(scope), *_storage(scope), *_function(scope), *_watching(scope), *_catalog(scope)]
    statements += [*(_key(scope) if customer_key else ()), *(_network() if vpc else ())]
    statements += [*(_deletion(scope) if delete_data else ()), *_looking(scope)]
    return _documents(statements)


def watch_policies(scope: Scope) -> tuple[dict[str, Any], ...]:
    """Return the read-only policies for `status`, `doctor` and `scale` without `--apply`."""
    return _documents(_looking(scope))


def _documents(statements: list[Statement]) -> tuple[dict[str, Any], ...]:
    """Distribute the statements, in order, over documents that each fit into a managed policy."""
    documents: list[dict[str, Any]] = []
    for statement in statements:
        if not documents or _size(documents[-1]) + _size(statement) > MAX_POLICY_CHARACTERS:
            documents.append({"Version": "2012-10-17", "Statement": []})
        documents[-1]["Statement"].append(statement)
    return tuple(documents)


def _size(document: dict[str, Any]) -> int:
    return len(json.dumps(document, separators=(",", ":"))) + 1


def _allow(sid: str, service: str, actions: str, *resources: str, **condition: Any) -> Statement:
    """Return one statement that allows the service's `actions`, names separated by white space."""
    statement: Statement = {
        "Sid": sid,
        "Effect": "Allow",
        "Action": [f"{service}:{action}" for action in actions.split()],
        "Resource": list(resources),
    }
    return {**statement, "Condition": condition} if condition else statement


def _stack(scope: Scope) -> list[Statement]:
    stacks = scope.arn("cloudformation", f"stack/{scope.stack}/*")
    actions = """CreateChangeSet DeleteChangeSet DeleteStack DescribeChangeSet DescribeStackEvents
        DescribeStackResources DescribeStacks ExecuteChangeSet"""
    zips = """CreateBucket ListBucket ListBucketVersions PutBucketOwnershipControls PutBucketPolicy
        PutBucketPublicAccessBlock"""
    return [
        _allow("Stack", "cloudformation", actions, stacks),
        _allow("ArtifactBucket", "s3", zips, scope.artifacts),
        _allow("Artifacts", "s3", "DeleteObject DeleteObjectVersion GetObject PutObject", f"{scope.artifacts}/*"),
    ]


def _storage(scope: Scope) -> list[Statement]:
    stream = """AddTagsToStream CreateStream DecreaseStreamRetentionPeriod DescribeStream DescribeStreamSummary
        IncreaseStreamRetentionPeriod ListTagsForStream StartStreamEncryption StopStreamEncryption UpdateShardCount
        UpdateStreamMode"""
    bucket = """CreateBucket DeleteBucketPolicy GetBucketPolicy GetBucketPublicAccessBlock GetEncryptionConfiguration
        GetLifecycleConfiguration ListBucket PutBucketLogging PutBucketOwnershipControls PutBucketPolicy
        PutBucketPublicAccessBlock PutBucketVersioning PutEncryptionConfiguration PutLifecycleConfiguration"""
    # CloudFormation needs DeleteStream and DeleteBucket to roll back a failed creation; after that the stack retains
    # both resources. S3 rejects DeleteBucket while the bucket has objects; Kinesis deletes a stream with its records.
    return [
        _allow("Stream", "kinesis", stream, scope.arn("kinesis", f"stream/{scope.stream}")),
        _allow("StreamRollback", "kinesis", "DeleteStream", scope.arn("kinesis", f"stream/{scope.stream}")),
        _allow("Bucket", "s3", f"{bucket} DeleteBucket", scope.buckets),
    ]


def _function(scope: Scope) -> list[Statement]:
    function = scope.arn("lambda", f"function:{scope.stack}")
    functions = """CreateFunction DeleteFunction DeleteFunctionConcurrency GetFunction GetFunctionConcurrency
        GetFunctionConfiguration PutFunctionConcurrency TagResource UpdateFunctionCode UpdateFunctionConfiguration"""
    mappings = "CreateEventSourceMapping DeleteEventSourceMapping GetEventSourceMapping UpdateEventSourceMapping"
    roles = [
        scope.arn("iam", f"role/{scope.stack}-{name}-*", region=False) for name in ("FunctionRole", "ProducerRole")
    ]
    role = """AttachRolePolicy CreateRole DeleteRole DeleteRolePolicy DetachRolePolicy GetRole GetRolePolicy
        PutRolePolicy TagRole UpdateAssumeRolePolicy UpdateRole UpdateRoleDescription"""
    policy = """CreatePolicy CreatePolicyVersion DeletePolicy DeletePolicyVersion GetPolicy GetPolicyVersion
        ListPolicyVersions"""
    return [
        _allow("Function", "lambda", functions, function),
        # The ARN of an event source mapping contains only a generated ID; the condition limits them to the function.
        _allow("Mapping", "lambda", mappings, "*", ArnEquals={"lambda:FunctionArn": function}),
        _allow("Roles", "iam", role, *roles),
        _allow(
            "FunctionTakesItsRole",
            "iam",
            "PassRole",
            roles[0],
            StringEquals={"iam:PassedToService": "lambda.amazonaws.com"},
        ),
        _allow("Policies", "iam", policy, scope.arn("iam", f"policy/{scope.stack}-ProducerPolicy-*", region=False)),
    ]


def _watching(scope: Scope) -> list[Statement]:
    group = scope.arn("logs", f"log-group:/aws/lambda/{scope.stack}")
    logs = """CreateLogGroup DeleteLogGroup DeleteRetentionPolicy ListTagsForResource PutRetentionPolicy TagResource"""
    topic = """CreateTopic DeleteTopic GetTopicAttributes ListSubscriptionsByTopic ListTagsForResource
        SetTopicAttributes Subscribe TagResource Unsubscribe"""
    dashboard = scope.arn("cloudwatch", f"dashboard/{scope.stack}", region=False)
    return [
        _allow("Log", "logs", logs, group, f"{group}:*"),
        _allow("LogGroups", "logs", "DescribeLogGroups", scope.arn("logs", "log-group:*")),
        _allow("Topic", "sns", topic, scope.arn("sns", f"{scope.stack}-Topic-*")),
        _allow(
            "Alarms", "cloudwatch", "DeleteAlarms PutMetricAlarm", scope.arn("cloudwatch", f"alarm:{scope.stack}-*")
        ),
        _allow("Dashboard", "cloudwatch", "DeleteDashboards GetDashboard PutDashboard", dashboard),
    ]


def _catalog(scope: Scope) -> list[Statement]:
    tables = [
        scope.arn("glue", name)
        for name in (
            "catalog",
            f"database/{scope.database}",
            f"table/{scope.database}/*",
            f"userDefinedFunction/{scope.database}/*",
        )
    ]
    glue = """CreateDatabase CreateTable DeleteDatabase DeleteTable GetDatabase GetTable UpdateDatabase UpdateTable"""
    athena = """CreateNamedQuery CreateWorkGroup DeleteNamedQuery DeleteWorkGroup GetNamedQuery GetWorkGroup
        ListNamedQueries TagResource UpdateNamedQuery UpdateWorkGroup"""
    return [
        _allow("Tables", "glue", glue, *tables),
        _allow("Queries", "athena", athena, scope.arn("athena", f"workgroup/{scope.stack}")),
    ]


def _key(scope: Scope) -> list[Statement]:
    # A key's ARN contains only an ID that KMS generates, so it is not known before the key is created.
    keys = scope.arn("kms", "key/*")
    actions = """CreateGrant Decrypt DescribeKey EnableKeyRotation Encrypt GenerateDataKey GetKeyPolicy
        GetKeyRotationStatus ListResourceTags PutKeyPolicy ScheduleKeyDeletion UpdateKeyDescription"""
    log = scope.arn("logs", f"log-group:/aws/lambda/{scope.stack}*")
    return [
        _allow("MakeAKey", "kms", "CreateKey", "*"),
        _allow("Key", "kms", actions, keys),
        _allow("EncryptedLog", "logs", "AssociateKmsKey DisassociateKmsKey", log),
    ]


def _network() -> list[Statement]:
    # EC2 generates the IDs of these resources when it creates them, and its Describe actions cannot be limited to
    # single resources.
    actions = """AssociateRouteTable AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress CreateNetworkAcl
        CreateNetworkAclEntry CreateRouteTable CreateSecurityGroup CreateSubnet CreateTags CreateVpc CreateVpcEndpoint
        DeleteNetworkAcl DeleteNetworkAclEntry DeleteRouteTable DeleteSecurityGroup DeleteSubnet DeleteVpc
        DeleteVpcEndpoints DescribeAvailabilityZones DescribeNetworkAcls DescribeRouteTables DescribeSecurityGroups
        DescribeSubnets DescribeVpcAttribute DescribeVpcEndpoints DescribeVpcs DisassociateRouteTable
        ModifySubnetAttribute ModifyVpcAttribute ModifyVpcEndpoint ReplaceNetworkAclAssociation ReplaceNetworkAclEntry
        RevokeSecurityGroupEgress RevokeSecurityGroupIngress"""
    return [_allow("Network", "ec2", actions, "*")]


def _deletion(scope: Scope) -> list[Statement]:
    return [
        _allow("EmptyTheBucket", "s3", "ListBucketVersions", scope.buckets),
        _allow("DeleteItsObjects", "s3", "DeleteObject DeleteObjectVersion", f"{scope.buckets}/*"),
    ]


def _looking(scope: Scope) -> list[Statement]:
    bucket = """GetBucketPolicy GetBucketPublicAccessBlock GetEncryptionConfiguration ListBucket"""
    function = scope.arn("lambda", f"function:{scope.stack}")
    roles = scope.arn("iam", f"role/{scope.stack}-FunctionRole-*", region=False)
    group = scope.arn("logs", f"log-group:/aws/lambda/{scope.stack}")
    stacks = scope.arn("cloudformation", f"stack/{scope.stack}/*")
    mappings = "GetEventSourceMapping ListEventSourceMappings"
    return [
        _allow("LookAtTheStack", "cloudformation", "DescribeStacks", stacks),
        _allow("LookAtTheStream", "kinesis", "DescribeStreamSummary", scope.arn("kinesis", f"stream/{scope.stream}")),
        _allow("LookAtTheBucket", "s3", bucket, scope.buckets),
        _allow("LookAtTheFunction", "lambda", "GetFunctionConcurrency GetFunctionConfiguration", function),
        _allow("LookAtTheMapping", "lambda", mappings, "*"),
        _allow("LookAtItsRole", "iam", "SimulatePrincipalPolicy", roles),
        _allow("LookAtItsLog", "logs", "FilterLogEvents", group, f"{group}:*"),
        _allow("LookAtTheTopic", "sns", "GetTopicAttributes", scope.arn("sns", f"{scope.stack}-Topic-*")),
        # These CloudWatch actions cannot be limited to single resources.
        _allow("LookAtTheFigures", "cloudwatch", "DescribeAlarms GetMetricData", "*"),
    ]
