"""Doctor: read the deployed parts and check them against the rules in `doctor_rules`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from truckstream.cloud.aws_account import flags_of
from truckstream.cloud.partitions import partition_of
from truckstream.cloud.watch.doctor_rules import CHECKS, Facts, Finding, access_errors, examine, needed_actions
from truckstream.cloud.watch.reading.deployed_parts import DeployedParts, read_parts
from truckstream.cloud.watch.reading.tolerant_reader import TolerantReader
from truckstream.cloud.watch.status import read_last_errors

if TYPE_CHECKING:
    from datetime import datetime

    from truckstream.cloud.aws_account import Aws

__all__ = ["Diagnosis", "diagnose"]

#: The settings of the bucket that the rules examine, and the operation that reads each.
_BUCKET_SETTINGS: Final = {
    "encryption": "get_bucket_encryption",
    "public": "get_public_access_block",
    "policy": "get_bucket_policy",
    "lifecycle": "get_bucket_lifecycle_configuration",
    "versioning": "get_bucket_versioning",
}

#: How far back the function's log is searched for denied access.
_LOG_MINUTES: Final = 60


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The findings, the number of rules checked, and the reads that failed."""

    findings: tuple[Finding, ...]
    checks: int
    unread: tuple[str, ...]

    @property
    def healthy(self) -> bool:
        return not self.findings and not self.unread


async def diagnose(aws: Aws, stack_name: str, *, now: datetime, function_name: str | None = None) -> Diagnosis:
    """Check the deployed parts for dangerous settings.

    Args:
        aws: the account and region.
        stack_name: name of the deployed stack.
        now: the present time.
        function_name: name of the function, for a pipeline without a stack.

    Raises:
        AwsError: the stack cannot be described.
    """
    parts = await read_parts(aws, stack_name, function_name)
    reader = TolerantReader(aws, list(parts.unread))
    facts = await _read_facts(reader, parts, stack_name, now)
    return Diagnosis(examine(facts), len(CHECKS), tuple(dict.fromkeys(str(error) for error in reader.unread)))


async def _read_facts(reader: TolerantReader, parts: DeployedParts, stack_name: str, now: datetime) -> Facts:
    bucket = await _read_bucket(reader, parts.bucket_name)
    rules = bucket.get("encryption", {}).get("ServerSideEncryptionConfiguration", {}).get("Rules", [None])
    errors = await reader.attempt(read_last_errors(reader.aws, parts, now, _LOG_MINUTES), ())
    return Facts(
        stack_name=stack_name,
        parts=parts,
        where=flags_of(reader.aws),
        partition=partition_of(reader.aws.region).name,
        encryption=rules[0],
        public_access_block=bucket.get("public", {}).get("PublicAccessBlockConfiguration"),
        bucket_policy=bucket.get("policy", {}).get("Policy"),
        lifecycle=tuple(bucket.get("lifecycle", {}).get("Rules", ())),
        versioned=bucket.get("versioning", {}).get("Status") == "Enabled",
        bucket_exists=bucket.get("exists"),
        denied=await _denied_actions(reader, parts),
        access_errors=access_errors(line.message for line in errors),
        subscribers=await _count_subscribers(reader, parts.outputs.get("TopicArn")),
        seen=frozenset(bucket.keys() - {"exists"}),
    )


async def _read_bucket(reader: TolerantReader, bucket: str | None) -> dict[str, Any]:
    """Return the responses by kind of setting; only "exists" for a bucket that does not exist."""
    if not bucket:
        return {}
    found: dict[str, Any] = {}
    for kind, operation in _BUCKET_SETTINGS.items():
        errors = len(reader.unread)
        response = await reader.find("s3", operation, Bucket=bucket)
        if len(reader.unread) == errors:
            found[kind] = response or {}
    errors = len(reader.unread)
    exists = await reader.find("s3", "head_bucket", Bucket=bucket) is not None
    if len(reader.unread) > errors:
        return found
    return {**found, "exists": True} if exists else {"exists": False}


async def _denied_actions(reader: TolerantReader, parts: DeployedParts) -> tuple[str, ...]:
    """Return the actions that the function needs and that its role does not allow."""
    role = (parts.function or {}).get("Role", "")
    # The role may use only buckets of its own account. The simulation knows only the conditions that it is given.
    account = {
        "ContextKeyName": "s3:ResourceAccount",
        "ContextKeyType": "string",
        "ContextKeyValues": role.split(":")[4:5],
    }
    denied: list[str] = []
    for resource, actions in needed_actions(parts).items():
        response = await reader.find(
            "iam",
            "simulate_principal_policy",
            PolicySourceArn=role,
            ActionNames=actions,
            ResourceArns=[resource],
            ContextEntries=[account],
        )
        rows = (response or {}).get("EvaluationResults", ())
        denied += [f"{row['EvalActionName']} on {resource}" for row in rows if row["EvalDecision"] != "allowed"]
    return tuple(denied)


async def _count_subscribers(reader: TolerantReader, topic: str | None) -> int | None:
    if not topic:
        return None
    response = await reader.find("sns", "get_topic_attributes", TopicArn=topic)
    confirmed = (response or {}).get("Attributes", {}).get("SubscriptionsConfirmed")
    return None if confirmed is None else int(confirmed)
