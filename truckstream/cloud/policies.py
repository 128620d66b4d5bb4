"""Least-privilege IAM policies for the people who run the commands.

CloudFormation acts with its caller's permissions, so the deployer's policy allows every action that the template's
resources need. Its holder writes the templates, and so can make CloudFormation do anything that the policy allows. What
the policy must never allow is therefore excluded by conditions that no template can meet:

- Roles: those of the stack, and only with the permissions boundary of `boundary_policy`, which an administrator
  creates. Whatever policies the holder gives them, they allow no more than the boundary. The holder can change neither
  the boundary nor a policy that is attached to a producer, because CloudFormation replaces that policy.
- Keys: those with the stack's tag. The holder cannot tag another key, and the deletion of a key takes 30 days.
- The network: resources with the tag that CloudFormation gives to those of the stack. Nobody else can set that tag.
- Data: streams and objects are deleted with `delete_data` only. Without it, the rollback of a first deployment that
  failed cannot delete its empty stream.

`aws:CalledVia` is a second line: the holder does nothing directly that only CloudFormation has to do. The commands that
`doctor` prints are exceptions.

The template itself contains the permissions of the function and of the producers. tests/cloud/test_policies.py
evaluates the policies for the calls of the commands and of CloudFormation, and for calls that must be denied. No AWS
account was used for it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from truckstream.alarms import ALARMS
from truckstream.cloud.deployment.cloudformation.stack import check_stack_name
from truckstream.cloud.partitions import partition_of

__all__ = ["MAX_POLICY_CHARACTERS", "Scope", "boundary_policy", "consumer_policy", "deploy_policies", "watch_policies"]

Statement = dict[str, Any]

#: The first characters of a stack's name that the names of its resources certainly begin with. CloudFormation shortens
#: a name that it generates if it is too long for the service, but does not document how.
_KEPT: Final = 16
#: The hyphen and the random characters at the end of such a name.
_RANDOM: Final = 14


@dataclass(frozen=True, slots=True)
class Scope:
    """The deployment whose resources a policy names.

    Args:
        account: the ID of the AWS account, twelve digits.
        region: the AWS region, such as us-east-1.
        stack: the name of the stack.
        stream: the name of the stream.
        bucket: the name of the bucket, or None if CloudFormation chooses it.
        database: the name of the Athena database, or None if the template chooses it.
        search: the name of the OpenSearch collection and its pipeline.

    Raises:
        InvalidArgumentError: the stack's name breaks a rule; one with a wildcard would allow access to other stacks.
    """

    account: str
    region: str
    stack: str = "truckstream"
    stream: str = "truck-sensor-stream"
    bucket: str | None = None
    database: str | None = None
    search: str = "truckstream"

    def __post_init__(self) -> None:
        check_stack_name(self.stack)

    @property
    def partition(self) -> str:
        return partition_of(self.region).name

    def arn(self, service: str, resource: str, *, region: bool = True, account: bool = True) -> str:
        where = self.region if region else ""
        return f"arn:{self.partition}:{service}:{where}:{self.account if account else ''}:{resource}"

    def generated(self, resource: str, limit: int) -> str:
        """Return a pattern for the name that CloudFormation generates for a resource of the template."""
        if len(self.stack) + len(resource) + 1 + _RANDOM <= limit:
            return f"{self.stack}-{resource}-*"
        return f"{self.stack[:_KEPT]}*"

    @property
    def stream_arn(self) -> str:
        return self.arn("kinesis", f"stream/{self.stream}")

    @property
    def data_bucket(self) -> str:
        """ARN of the bucket with the records."""
        return self.arn("s3", self.bucket or self.generated("Bucket", 63).lower(), region=False, account=False)

    @property
    def buckets(self) -> list[str]:
        """ARNs of the buckets with the records and with failed deliveries."""
        failed = self.arn("s3", self.generated("FailedBucket", 63).lower(), region=False, account=False)
        return [self.data_bucket, failed]

    @property
    def artifacts(self) -> str:
        name = f"truckstream-artifacts-{self.account}-{self.region}"
        return self.arn("s3", name, region=False, account=False)

    @property
    def function(self) -> str:
        return self.arn("lambda", f"function:{self.stack}")

    @property
    def log_group(self) -> str:
        return self.arn("logs", f"log-group:/aws/lambda/{self.stack}")

    @property
    def compaction(self) -> str:
        """ARN of the function that compacts."""
        return self.arn("lambda", f"function:{self.generated('CompactionFunction', 64)}")

    @property
    def flink(self) -> str:
        """ARN of the Managed Flink application."""
        return self.arn("kinesisanalytics", f"application/{self.stack}")

    @property
    def flink_log_group(self) -> str:
        return f"{self.log_group}/flink"

    @property
    def compaction_log_group(self) -> str:
        return f"{self.log_group}/compaction"

    @property
    def topic(self) -> str:
        return self.arn("sns", self.generated("Topic", 256))

    @property
    def roles(self) -> str:
        """ARN of the roles. The template gives them a path of their own, so that no other role matches."""
        return self.arn("iam", f"role/truckstream/{self.stack}/*", region=False)

    @property
    def boundary(self) -> str:
        """ARN of the roles' permissions boundary. Its path is none that a stack gives to a policy."""
        return self.arn("iam", f"policy/truckstream-boundary/{self.stack}", region=False)


#: Size limit of a managed policy in IAM, in characters; white space does not count.
MAX_POLICY_CHARACTERS: Final = 6_144

_VIA_CLOUDFORMATION: Final = {"ForAnyValue:StringEquals": {"aws:CalledVia": "cloudformation.amazonaws.com"}}


def deploy_policies(
    scope: Scope,
    *,
    customer_key: bool = False,
    vpc: bool = False,
    compaction: bool = False,
    search: bool = False,
    quicksight: bool = False,
    flink: bool = False,
    delete_data: bool = False,
) -> tuple[dict[str, Any], ...]:
    """Return the policies for `provision`, `deploy`, `scale --apply` and `destroy`; attach all of them together.

    They include the permissions of `watch_policies`. The stack's parameter PermissionsBoundary must name the policy of
    `boundary_policy`.

    Args:
        scope: the deployment to which the permissions apply.
        customer_key: include the permissions for Encryption=CUSTOMER_KEY.
        vpc: include the permissions for CreateVpc=true.
        compaction: include the permissions for CreateCompaction=true.
        search: include the permissions for CreateSearch=true.
        quicksight: include the permissions for QuickSightPrincipal.
        flink: include the permissions for CreateFlink=true, also to start and stop the application.
        delete_data: include the permissions for `destroy --delete-data`.
    """
    statements = [*_stack(scope), *_storage(scope), *_function(scope), *_watching(scope), *_catalog(scope)]
    statements += [*(_key(scope) if customer_key else ()), *(_network(scope) if vpc else ())]
    statements += _compaction(scope, customer_key=customer_key) if compaction else ()
    statements += [*(_search(scope) if search else ()), *(_quicksight(scope) if quicksight else ())]
    statements += _flink(scope, customer_key=customer_key) if flink else ()
    statements += [*(_deletion(scope) if delete_data else ()), *_repairs(scope), *_looking(scope)]
    return _documents(statements)


def watch_policies(scope: Scope) -> tuple[dict[str, Any], ...]:
    """Return the read-only policies for `status`, `doctor`, `streams` and `scale` without `--apply`.

    They allow no access to records and objects. `status --application` reads the stream, with `consumer_policy`.
    """
    return _documents(_looking(scope))


def boundary_policy(scope: Scope) -> dict[str, Any]:
    """Return the permissions boundary of the stack's roles: the most that they ever need.

    An administrator creates it as a managed policy with the ARN `scope.boundary`. It allows nothing by itself.
    """
    stream = """DescribeStream DescribeStreamSummary GetRecords GetShardIterator ListShards PutRecord PutRecords"""
    objects = [f"{bucket}/*" for bucket in scope.buckets]
    interfaces = """AssignPrivateIpAddresses CreateNetworkInterface DeleteNetworkInterface DescribeNetworkInterfaces
        DescribeSubnets UnassignPrivateIpAddresses"""
    logs = (scope.log_group, scope.compaction_log_group, scope.flink_log_group)
    parts = "AbortMultipartUpload DeleteObject ListMultipartUploadParts"
    suffix = partition_of(scope.region).dns_suffix
    # An existing stream or bucket may have a key of its own. Used by these services, it opens only data that the other
    # statements allow.
    services = {"kms:ViaService": [f"{service}.{scope.region}.{suffix}" for service in ("kinesis", "s3")]}
    statements = [
        _allow("Stream", "kinesis", stream, scope.stream_arn),
        _allow("Objects", "s3", "GetObject PutObject", *objects),
        _allow("Buckets", "s3", "ListBucket", *scope.buckets),
        _allow("Logs", "logs", "CreateLogStream DescribeLogStreams PutLogEvents", *(f"{each}:*" for each in logs)),
        _allow("Results", "s3", parts, f"{scope.data_bucket}/stream_windows/*"),
        _allow("Code", "s3", "GetObject", f"{scope.artifacts}/{scope.stack}/*"),
        _allow("Key", "kms", "Decrypt GenerateDataKey", scope.arn("kms", "key/*"), **_of_the_stack(scope)),
        _allow("KeysOfTheData", "kms", "Decrypt GenerateDataKey", scope.arn("kms", "key/*"), StringEquals=services),
        _allow("Traces", "xray", "PutTelemetryRecords PutTraceSegments", "*"),
        # Only the topic of the parameter AlertTopic is in the role itself.
        _allow("Alerts", "sns", "Publish", scope.arn("sns", "*")),
        _allow(
            "Collection",
            "aoss",
            "APIAccessAll BatchGetCollection",
            scope.arn("aoss", "collection/*"),
            **_of_the_collection(scope),
        ),
        _allow("Network", "ec2", interfaces, "*"),
    ]
    [document] = _documents(statements)
    return document


def consumer_policy(scope: Scope, application: str) -> dict[str, Any]:
    """Return the policy of the readers of a stream: `Consumer`, `truckstream tail` and `status --application`.

    It has the permissions for enhanced fan-out, and those to create the application's lease table. `truckstream worker`
    needs the objects in its bucket, too: see examples/worker/policy.json.

    Args:
        scope: the account, the region and the stream. The stack does not matter.
        application: the name of the application, of its lease table and of its registered consumer.
    """
    consumer = f"{scope.stream_arn}/consumer/{application}"
    table = "CreateTable DeleteItem DescribeTable PutItem Scan UpdateItem"
    services = {"kms:ViaService": f"kinesis.{scope.region}.{partition_of(scope.region).dns_suffix}"}
    statements = [
        _allow("Stream", "kinesis", "DescribeStreamSummary GetRecords GetShardIterator ListShards", scope.stream_arn),
        # IAM's reference names the stream for registration, and the consumer for the other two.
        _allow("Register", "kinesis", "RegisterStreamConsumer", scope.stream_arn, consumer, f"{consumer}:*"),
        _allow("FanOut", "kinesis", "DescribeStreamConsumer SubscribeToShard", consumer, f"{consumer}:*"),
        _allow("Leases", "dynamodb", table, scope.arn("dynamodb", f"table/{application}")),
        _allow("KeyOfTheStream", "kms", "Decrypt", scope.arn("kms", "key/*"), StringEquals=services),
    ]
    [document] = _documents(statements)
    return document


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


def _of_the_stack(scope: Scope) -> Statement:
    """Return the condition that a key has the tag that the template gives it."""
    return {"StringEquals": {"aws:ResourceTag/truckstream:stack": scope.stack}}


def _stack(scope: Scope) -> list[Statement]:
    stacks = scope.arn("cloudformation", f"stack/{scope.stack}/*")
    actions = """DeleteChangeSet DeleteStack DescribeChangeSet DescribeStackEvents DescribeStackResources DescribeStacks
        ExecuteChangeSet"""
    zips = """CreateBucket DeleteBucket ListBucket ListBucketVersions PutBucketOwnershipControls PutBucketPolicy
        PutBucketPublicAccessBlock"""
    # An import would put somebody else's resource into the stack and give it the stack's tags.
    no_imports = {"Null": {"cloudformation:ImportResourceTypes": "true"}}
    return [
        _allow("Stack", "cloudformation", actions, stacks),
        _allow("Plan", "cloudformation", "CreateChangeSet", stacks, **no_imports),
        _allow("ArtifactBucket", "s3", zips, scope.artifacts),
        _allow("Artifacts", "s3", "DeleteObject DeleteObjectVersion GetObject PutObject", f"{scope.artifacts}/*"),
    ]


def _storage(scope: Scope) -> list[Statement]:
    stream = """AddTagsToStream CreateStream DecreaseStreamRetentionPeriod DescribeStream DescribeStreamSummary
        IncreaseStreamRetentionPeriod ListTagsForResource ListTagsForStream StartStreamEncryption StopStreamEncryption
        TagResource UpdateStreamMode"""
    bucket = """CreateBucket DeleteBucketPolicy GetBucketPolicy GetBucketPublicAccessBlock GetEncryptionConfiguration
        GetLifecycleConfiguration ListBucket PutBucketLogging PutBucketOwnershipControls PutBucketPolicy
        PutBucketPublicAccessBlock PutBucketTagging PutBucketVersioning PutEncryptionConfiguration
        PutLifecycleConfiguration"""
    return [
        _allow("DataStream", "kinesis", stream, scope.stream_arn, **_VIA_CLOUDFORMATION),
        # `scale --apply` calls it for a stream that is not part of the stack.
        _allow("Shards", "kinesis", "UpdateShardCount", scope.stream_arn),
        # S3 rejects DeleteBucket while the bucket has objects, so that a rollback may call it.
        _allow("Bucket", "s3", f"{bucket} DeleteBucket", *scope.buckets, **_VIA_CLOUDFORMATION),
    ]


_FUNCTION: Final = """CreateFunction DeleteFunction DeleteFunctionConcurrency GetFunction GetFunctionConcurrency
    GetFunctionConfiguration ListTags PutFunctionConcurrency TagResource UpdateFunctionCode
    UpdateFunctionConfiguration"""


def _function(scope: Scope) -> list[Statement]:
    mappings = "CreateEventSourceMapping DeleteEventSourceMapping GetEventSourceMapping UpdateEventSourceMapping"
    tags = scope.arn("lambda", "event-source-mapping:*")
    return [
        _allow("Function", "lambda", _FUNCTION, scope.function, **_VIA_CLOUDFORMATION),
        # The ARN of an event source mapping contains only a generated ID; the condition limits them to the function.
        _allow(
            "Mapping", "lambda", mappings, "*", ArnEquals={"lambda:FunctionArn": scope.function}, **_VIA_CLOUDFORMATION
        ),
        _allow("MappingTags", "lambda", "ListTags TagResource", tags, **_VIA_CLOUDFORMATION),
        *_roles(scope),
    ]


def _compaction(scope: Scope, *, customer_key: bool) -> list[Statement]:
    calls = """AddPermission DeleteFunctionEventInvokeConfig GetFunctionEventInvokeConfig GetPolicy
        PutFunctionEventInvokeConfig RemovePermission UpdateFunctionEventInvokeConfig"""
    rule = "DeleteRule DescribeRule ListTagsForResource ListTargetsByRule PutRule PutTargets RemoveTargets TagResource"
    rules = scope.arn("events", f"rule/{scope.generated('CompactionRule', 64)}")
    logs = (scope.compaction_log_group, f"{scope.compaction_log_group}:*")
    keys = "AssociateKmsKey DisassociateKmsKey" if customer_key else ""
    return [
        _allow("Compaction", "lambda", f"{_FUNCTION} {calls}", scope.compaction, **_VIA_CLOUDFORMATION),
        _allow("CompactionSchedule", "events", rule, rules, **_VIA_CLOUDFORMATION),
        _allow("CompactionLog", "logs", f"{_LOG_GROUP} {keys}", *logs, **_VIA_CLOUDFORMATION),
    ]


def _flink(scope: Scope, *, customer_key: bool) -> list[Statement]:
    application = """AddApplicationCloudWatchLoggingOption CreateApplication DeleteApplication
        DeleteApplicationCloudWatchLoggingOption DescribeApplication ListTagsForResource TagResource
        UpdateApplication"""
    runs = "DescribeApplication StartApplication StopApplication"
    logs = (scope.flink_log_group, f"{scope.flink_log_group}:*")
    keys = "AssociateKmsKey DisassociateKmsKey" if customer_key else ""
    streams = "CreateLogStream DeleteLogStream DescribeLogStreams"
    service = {"StringEquals": {"iam:PassedToService": "kinesisanalytics.amazonaws.com"}}
    return [
        _allow("Flink", "kinesisanalytics", application, scope.flink, **_VIA_CLOUDFORMATION),
        _allow("RunFlink", "kinesisanalytics", runs, scope.flink),
        _allow("FlinkTakesItsRole", "iam", "PassRole", scope.roles, **service),
        _allow("FlinkLog", "logs", f"{_LOG_GROUP} {streams} {keys}", *logs, **_VIA_CLOUDFORMATION),
    ]


def _roles(scope: Scope) -> list[Statement]:
    limited = {"StringEquals": {"iam:PermissionsBoundary": scope.boundary}}
    producers = scope.arn("iam", f"policy/truckstream/{scope.stack}/*", region=False)
    role = (
        "DeleteRole GetRole GetRolePolicy ListRoleTags TagRole UpdateAssumeRolePolicy UpdateRole UpdateRoleDescription"
    )
    return [
        _allow("Roles", "iam", role, scope.roles, **_VIA_CLOUDFORMATION),
        _allow(
            "LimitedRoles",
            "iam",
            "CreateRole DeleteRolePolicy PutRolePermissionsBoundary PutRolePolicy",
            scope.roles,
            **limited,
            **_VIA_CLOUDFORMATION,
        ),
        _allow(
            "ProducersPolicyOfARole",
            "iam",
            "AttachRolePolicy DetachRolePolicy",
            scope.roles,
            ArnLike={"iam:PolicyARN": producers},
            **limited,
            **_VIA_CLOUDFORMATION,
        ),
        # Not CreatePolicyVersion: it would change the policy of every principal that has it.
        _allow(
            "ProducersPolicy",
            "iam",
            "CreatePolicy DeletePolicy GetPolicy GetPolicyVersion ListPolicyVersions",
            producers,
            **_VIA_CLOUDFORMATION,
        ),
        _allow(
            "FunctionTakesItsRole",
            "iam",
            "PassRole",
            scope.roles,
            StringEquals={"iam:PassedToService": "lambda.amazonaws.com"},
        ),
    ]


_LOG_GROUP: Final = """CreateLogGroup DeleteLogGroup DeleteRetentionPolicy ListTagsForResource PutRetentionPolicy
    TagResource"""


def _watching(scope: Scope) -> list[Statement]:
    topic = """CreateTopic DeleteTopic GetTopicAttributes ListSubscriptionsByTopic ListTagsForResource
        SetTopicAttributes Subscribe TagResource Unsubscribe"""
    alarms = [scope.arn("cloudwatch", f"alarm:{scope.stack}-{alarm.name}") for alarm in ALARMS]
    dashboard = scope.arn("cloudwatch", f"dashboard/{scope.stack}", region=False)
    return [
        _allow("Log", "logs", _LOG_GROUP, scope.log_group, f"{scope.log_group}:*", **_VIA_CLOUDFORMATION),
        # These actions cannot be limited to single resources.
        _allow("LogGroups", "logs", "DescribeLogGroups", scope.arn("logs", "log-group:*")),
        _allow(
            "LogQueries",
            "logs",
            "DeleteQueryDefinition DescribeQueryDefinitions PutQueryDefinition",
            "*",
            **_VIA_CLOUDFORMATION,
        ),
        _allow("Topic", "sns", topic, scope.topic, **_VIA_CLOUDFORMATION),
        _allow(
            "Alarms",
            "cloudwatch",
            "DeleteAlarms ListTagsForResource PutMetricAlarm TagResource",
            *alarms,
            **_VIA_CLOUDFORMATION,
        ),
        _allow(
            "Dashboard",
            "cloudwatch",
            "DeleteDashboards GetDashboard ListTagsForResource PutDashboard TagResource",
            dashboard,
            **_VIA_CLOUDFORMATION,
        ),
    ]


def _catalog(scope: Scope) -> list[Statement]:
    # The template names the database of any other stack truckstream_ and eight digits of the stack's ID.
    database = scope.database or ("truckstream" if scope.stack == "truckstream" else "truckstream_*")
    tables = [
        scope.arn("glue", name)
        for name in ("catalog", f"database/{database}", f"table/{database}/*", f"userDefinedFunction/{database}/*")
    ]
    glue = """CreateDatabase CreateTable DeleteDatabase DeleteTable GetDatabase GetTable UpdateDatabase UpdateTable"""
    athena = """CreateNamedQuery CreateWorkGroup DeleteNamedQuery DeleteWorkGroup GetNamedQuery GetWorkGroup
        ListNamedQueries ListTagsForResource TagResource UpdateNamedQuery UpdateWorkGroup"""
    return [
        _allow("Tables", "glue", glue, *tables, **_VIA_CLOUDFORMATION),
        _allow("Queries", "athena", athena, scope.arn("athena", f"workgroup/{scope.stack}"), **_VIA_CLOUDFORMATION),
    ]


def _search(scope: Scope) -> list[Statement]:
    policies = """CreateAccessPolicy CreateSecurityPolicy DeleteAccessPolicy DeleteSecurityPolicy GetAccessPolicy
        GetSecurityPolicy UpdateAccessPolicy UpdateSecurityPolicy"""
    collection = "CreateCollection DeleteCollection ListTagsForResource TagResource UpdateCollection"
    pipeline = "CreatePipeline DeletePipeline GetPipeline ListTagsForResource TagResource UpdatePipeline"
    linked = "observability.aoss.amazonaws.com"
    role = scope.arn("iam", f"role/aws-service-role/{linked}/*", region=False)
    of_the_name = _of_the_collection(scope)
    return [
        # Policies have no ARN, and collections have an ID that is generated; the condition names both.
        _allow("SearchPolicies", "aoss", policies, "*", **of_the_name, **_VIA_CLOUDFORMATION),
        _allow("Collection", "aoss", collection, "*", **of_the_name, **_VIA_CLOUDFORMATION),
        # These look collections up by name, and the condition does not apply to them.
        _allow("LookAtCollections", "aoss", "BatchGetCollection ListCollections", "*", **_VIA_CLOUDFORMATION),
        _allow("Pipeline", "osis", pipeline, scope.arn("osis", f"pipeline/{scope.search}"), **_VIA_CLOUDFORMATION),
        _allow(
            "PipelineTakesItsRole",
            "iam",
            "PassRole",
            scope.roles,
            StringEquals={"iam:PassedToService": "osis-pipelines.amazonaws.com"},
        ),
        # The first collection of an account makes the role with which OpenSearch Serverless writes its metrics.
        _allow("RoleOfServerless", "iam", "CreateServiceLinkedRole", role, StringEquals={"iam:AWSServiceName": linked}),
    ]


def _of_the_collection(scope: Scope) -> Statement:
    return {"StringEquals": {"aoss:collection": scope.search}}


def _quicksight(scope: Scope) -> list[Statement]:
    source = """CreateDataSource DeleteDataSource DescribeDataSource DescribeDataSourcePermissions PassDataSource
        UpdateDataSource UpdateDataSourcePermissions"""
    data_set = """CreateDataSet DeleteDataSet DescribeDataSet DescribeDataSetPermissions PassDataSet UpdateDataSet
        UpdateDataSetPermissions"""
    dashboard = """CreateDashboard DeleteDashboard DescribeDashboard DescribeDashboardDefinition
        DescribeDashboardPermissions UpdateDashboard UpdateDashboardPermissions UpdateDashboardPublishedVersion"""
    made = {"datasource": source, "dataset": data_set, "dashboard": dashboard}
    return [
        _allow(
            f"QuickSight{kind.capitalize()}",
            "quicksight",
            f"{actions} ListTagsForResource TagResource",
            scope.arn("quicksight", f"{kind}/{scope.stack}-*"),
            **_VIA_CLOUDFORMATION,
        )
        for kind, actions in made.items()
    ]


def _key(scope: Scope) -> list[Statement]:
    # A key's ARN contains only an ID that KMS generates, so its tag identifies it. The holder cannot give the tag to
    # another key: CloudFormation tags only keys of the stack, and the stack cannot import a key (see "Plan").
    keys = scope.arn("kms", "key/*")
    tagged = _of_the_stack(scope)
    created = {"StringEquals": {"aws:RequestTag/truckstream:stack": scope.stack}}
    # 30 days are the longest delay. Until then the deletion can be cancelled.
    late = {"NumericGreaterThanEquals": {"kms:ScheduleKeyDeletionPendingWindowInDays": "30"}}
    actions = """CreateGrant Decrypt DescribeKey EnableKeyRotation Encrypt GenerateDataKey GetKeyPolicy
        GetKeyRotationStatus ListResourceTags PutKeyPolicy UpdateKeyDescription"""
    return [
        _allow("MakeAKey", "kms", "CreateKey TagResource", "*", **created, **_VIA_CLOUDFORMATION),
        _allow("Key", "kms", actions, keys, **tagged, **_VIA_CLOUDFORMATION),
        _allow("KeyDeletion", "kms", "ScheduleKeyDeletion", keys, **tagged, **late),
        _allow(
            "EncryptedLog",
            "logs",
            "AssociateKmsKey DisassociateKmsKey",
            *(scope.log_group, f"{scope.log_group}:*"),
            **_VIA_CLOUDFORMATION,
        ),
    ]


def _network(scope: Scope) -> list[Statement]:
    # EC2 generates the IDs of these resources when it creates them, so a tag of CloudFormation identifies them. Its
    # Describe actions cannot be limited to single resources.
    ours = {"StringEquals": {"aws:ResourceTag/aws:cloudformation:stack-name": scope.stack}}
    looks = """DescribeAvailabilityZones DescribeNetworkAcls DescribeRouteTables DescribeSecurityGroups DescribeSubnets
        DescribeVpcAttribute DescribeVpcEndpoints DescribeVpcs"""
    changes = """AssociateRouteTable AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress CreateNetworkAcl
        CreateNetworkAclEntry CreateRouteTable CreateSecurityGroup CreateSubnet CreateTags CreateVpcEndpoint
        DeleteNetworkAcl DeleteNetworkAclEntry DeleteRouteTable DeleteSecurityGroup DeleteSubnet DeleteVpc
        DeleteVpcEndpoints DisassociateRouteTable ModifySubnetAttribute ModifyVpcAttribute ModifyVpcEndpoint
        ReplaceNetworkAclAssociation ReplaceNetworkAclEntry RevokeSecurityGroupEgress RevokeSecurityGroupIngress"""
    kinds = {
        "Vpc": "vpc",
        "Subnet": "subnet",
        "RouteTable": "route-table",
        "NetworkAcl": "network-acl",
        "SecurityGroup": "security-group",
        "VpcEndpoint": "vpc-endpoint",
    }
    made = [f"Create{name}" for name in kinds]
    return [
        _allow("LookAtTheNetwork", "ec2", looks, "*"),
        _allow("ChangeTheNetwork", "ec2", changes, "*", **ours, **_VIA_CLOUDFORMATION),
        *(
            _allow(f"Make{name}", "ec2", f"Create{name}", scope.arn("ec2", f"{kind}/*"), **_VIA_CLOUDFORMATION)
            for name, kind in kinds.items()
        ),
        _allow(
            "TagWhatIsMade", "ec2", "CreateTags", "*", StringEquals={"ec2:CreateAction": made}, **_VIA_CLOUDFORMATION
        ),
    ]


def _repairs(scope: Scope) -> list[Statement]:
    """Return the permissions for the commands of AWS that `doctor` prints."""
    mapping = {"ArnEquals": {"lambda:FunctionArn": scope.function}}
    return [
        _allow("RepairTheMapping", "lambda", "DeleteEventSourceMapping UpdateEventSourceMapping", "*", **mapping),
        _allow("RepairTheFunction", "lambda", "UpdateFunctionConfiguration", scope.function),
        _allow("RepairTheStream", "kinesis", "StartStreamEncryption", scope.stream_arn),
        _allow("RepairTheBuckets", "s3", "PutBucketPublicAccessBlock PutEncryptionConfiguration", *scope.buckets),
    ]


def _deletion(scope: Scope) -> list[Statement]:
    return [
        _allow("DeleteTheStream", "kinesis", "DeleteStream", scope.stream_arn),
        _allow("EmptyTheBuckets", "s3", "DeleteBucket ListBucketVersions", *scope.buckets),
        _allow(
            "DeleteTheirObjects", "s3", "DeleteObject DeleteObjectVersion", *(f"{each}/*" for each in scope.buckets)
        ),
    ]


def _looking(scope: Scope) -> list[Statement]:
    bucket = """GetBucketPolicy GetBucketPublicAccessBlock GetBucketVersioning GetEncryptionConfiguration
        GetLifecycleConfiguration ListBucket"""
    stacks = scope.arn("cloudformation", f"stack/{scope.stack}/*")
    mappings = "GetEventSourceMapping ListEventSourceMappings"
    return [
        _allow("LookAtTheStack", "cloudformation", "DescribeStacks", stacks),
        # `streams` shows all streams of the account and region. Listing them cannot be limited to single resources.
        _allow("ListTheStreams", "kinesis", "ListStreams", "*"),
        _allow("LookAtTheStreams", "kinesis", "DescribeStreamSummary ListShards", scope.arn("kinesis", "stream/*")),
        _allow("LookAtTheBuckets", "s3", bucket, *scope.buckets),
        _allow("LookAtTheFunction", "lambda", "GetFunctionConcurrency GetFunctionConfiguration", scope.function),
        _allow("LookAtTheMapping", "lambda", mappings, "*"),
        _allow("LookAtItsRole", "iam", "SimulatePrincipalPolicy", scope.roles),
        _allow("LookAtItsLog", "logs", "FilterLogEvents", scope.log_group, f"{scope.log_group}:*"),
        _allow("LookAtTheTopic", "sns", "GetTopicAttributes", scope.topic),
        # These CloudWatch actions cannot be limited to single resources.
        _allow("LookAtTheFigures", "cloudwatch", "DescribeAlarms GetMetricData", "*"),
    ]
