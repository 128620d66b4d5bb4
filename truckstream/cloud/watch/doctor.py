"""Doctor: reads the deployed parts and holds them against the rules of `checks.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from truckstream.cloud.watch.deployed_parts import Parts, read_parts
from truckstream.cloud.watch.doctor_rules import CHECKS, Facts, Finding, examine
from truckstream.cloud.watch.status import read_status
from truckstream.errors import AwsError

if TYPE_CHECKING:
    from datetime import datetime

    from truckstream.cloud.aws_account import Aws

__all__ = ["Diagnosis", "diagnose"]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found, how many rules were held against it, and what could not be looked at."""

    findings: tuple[Finding, ...]
    checks: int
    unread: tuple[str, ...]

    @property
    def healthy(self) -> bool:
        return not self.findings and not self.unread


async def diagnose(aws: Aws, stack_name: str, *, now: datetime, function_name: str | None = None) -> Diagnosis:
    """Look for dangerous settings.

    Args:
        aws: the account and region.
        stack_name: the deployed stack.
        now: the time of the call.
        function_name: for a pipeline that was made by hand.

    Raises:
        AwsError: the stack itself cannot be looked at.
    """
    parts = await read_parts(aws, stack_name, function_name)
    reader = _Reader(aws, parts, list(parts.unread))
    facts = await reader.read(stack_name, now)
    return Diagnosis(examine(facts), len(CHECKS), tuple(dict.fromkeys(str(error) for error in reader.unread)))


@dataclass(slots=True)
class _Reader:
    aws: Aws
    parts: Parts
    unread: list[AwsError]
    seen: set[str] = field(default_factory=set)

    async def read(self, stack_name: str, now: datetime) -> Facts:
        encryption = await self._bucket("encryption", "get_bucket_encryption")
        public = await self._bucket("public", "get_public_access_block")
        policy = await self._bucket("policy", "get_bucket_policy")
        rules = (encryption or {}).get("ServerSideEncryptionConfiguration", {}).get("Rules", [None])
        return Facts(
            stack_name=stack_name,
            parts=self.parts,
            encryption=rules[0],
            public_access_block=(public or {}).get("PublicAccessBlockConfiguration"),
            bucket_policy=(policy or {}).get("Policy"),
            bucket_exists=await self._bucket_exists(),
            denied=await self._denied(),
            access_errors=await self._access_errors(stack_name, now),
            listeners=await self._listeners(),
            seen=frozenset(self.seen),
        )

    async def _bucket(self, what: str, operation: str) -> dict[str, Any] | None:
        if not self.parts.bucket_name:
            return None
        known = len(self.unread)
        answer = await self._try("s3", operation, Bucket=self.parts.bucket_name)
        if len(self.unread) == known:
            self.seen.add(what)
        return answer

    async def _bucket_exists(self) -> bool | None:
        if not self.parts.bucket_name:
            return None
        known = len(self.unread)
        found = await self._try("s3", "head_bucket", Bucket=self.parts.bucket_name)
        if found is None and len(self.unread) == known:
            self.seen.clear()  # what a bucket that is not there lacks says nothing
            return False
        return None if found is None else True

    async def _denied(self) -> tuple[str, ...]:
        """What the function's role does not allow of what the function does."""
        role, bucket = (self.parts.function or {}).get("Role"), self.parts.bucket_name
        stream = (self.parts.stream or {}).get("StreamARN")
        if not role or not bucket or not stream:
            return ()
        partition = stream.split(":")[1]
        prefix = self.parts.variables.get("PREFIX", "sensor_data")
        needs = {
            f"arn:{partition}:s3:::{bucket}/{prefix}/batch": ["s3:PutObject", "s3:GetObject"],
            f"arn:{partition}:s3:::{bucket}": ["s3:ListBucket"],
            stream: ["kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"],
        }
        denied: list[str] = []
        for resource, actions in needs.items():
            answer = await self._try(
                "iam",
                "simulate_principal_policy",
                PolicySourceArn=role,
                ActionNames=actions,
                ResourceArns=[resource],
            )
            rows = (answer or {}).get("EvaluationResults", ())
            denied += [f"{row['EvalActionName']} on {resource}" for row in rows if row["EvalDecision"] != "allowed"]
        return tuple(denied)

    async def _access_errors(self, stack_name: str, now: datetime) -> tuple[str, ...]:
        try:
            status = await read_status(self.aws, stack_name, now=now, function_name=self._by_hand())
        except AwsError as error:
            self.unread.append(error)
            return ()
        words = ("AccessDenied", "PermissionDenied", "403")
        return tuple(line.message for line in status.errors if any(word in line.message for word in words))

    def _by_hand(self) -> str | None:
        return None if self.parts.stack else self.parts.function_name

    async def _listeners(self) -> int | None:
        topic = (self.parts.stack.outputs if self.parts.stack else {}).get("TopicArn")
        if not topic:
            return None
        answer = await self._try("sns", "get_topic_attributes", TopicArn=topic)
        confirmed = (answer or {}).get("Attributes", {}).get("SubscriptionsConfirmed")
        return None if confirmed is None else int(confirmed)

    async def _try(self, service: str, operation: str, **parameters: Any) -> dict[str, Any] | None:
        try:
            return await self.aws.ask(service, operation, **parameters)
        except AwsError as error:
            self.unread.append(error)
            return None
