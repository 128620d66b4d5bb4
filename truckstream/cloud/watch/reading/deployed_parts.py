"""The deployed parts as AWS describes them, read once for status, doctor and scale.

Parts are found by the outputs of the stack. A pipeline without a stack is found by its function: its event
source mapping names the stream, and its environment names the bucket.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from truckstream.cloud.deployment.cloudformation.stack import check_stack_name
from truckstream.cloud.deployment.cloudformation.stack_operations import find_stack
from truckstream.cloud.watch.reading.tolerant_reader import TolerantReader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truckstream.cloud.aws_account import Aws
    from truckstream.cloud.deployment.cloudformation.stack import Stack
    from truckstream.errors import AwsError

__all__ = ["DeployedParts", "read_parts"]

Description = dict[str, Any]


@dataclass(slots=True)
class DeployedParts:
    """The deployed parts as AWS describes them; None for parts that do not exist."""

    stack: Stack | None = None
    stream_name: str | None = None
    bucket_name: str | None = None
    function_name: str | None = None
    stream: Description | None = None
    mapping: Description | None = None
    function: Description | None = None
    reserved_concurrency: int | None = None
    #: Errors of calls that failed.
    unread: list[AwsError] = field(default_factory=list)

    @property
    def outputs(self) -> Mapping[str, str]:
        """The outputs of the stack; empty without a stack."""
        return self.stack.outputs if self.stack else {}

    @property
    def variables(self) -> Mapping[str, str]:
        """The environment variables of the function."""
        found: Mapping[str, str] = (self.function or {}).get("Environment", {}).get("Variables", {})
        return found

    @property
    def shards(self) -> int:
        return int((self.stream or {}).get("OpenShardCount", 0))

    @property
    def on_demand(self) -> bool:
        details = (self.stream or {}).get("StreamModeDetails", {})
        return bool(details.get("StreamMode") == "ON_DEMAND")

    def could_not_read(self, service: str) -> bool:
        """Return whether a call of a service failed, so that a part of it that seems to be missing may exist."""
        return any(error.operation.startswith(f"{service}:") for error in self.unread)


async def read_parts(aws: Aws, stack_name: str, function_name: str | None = None) -> DeployedParts:
    """Find and describe the deployed parts.

    Args:
        aws: the account and region.
        stack_name: name of the stack that `deploy` created.
        function_name: name of the function, for a pipeline without a stack.

    Raises:
        AwsError: the stack cannot be described.
        InvalidArgumentError: the stack's name breaks a rule.
    """
    check_stack_name(stack_name)
    parts = DeployedParts()
    reader = TolerantReader(aws, parts.unread)
    if function_name is None:
        stack = await find_stack(aws, stack_name)
        parts.stack = stack if stack and stack.exists else None
    outputs = parts.outputs
    parts.function_name = function_name or outputs.get("FunctionName")
    parts.stream_name = outputs.get("StreamName")
    parts.bucket_name = outputs.get("BucketName")
    if parts.function_name:
        await _read_function(reader, parts, parts.function_name, outputs.get("MappingId"))
    if parts.stream_name:
        found = await reader.find("kinesis", "describe_stream_summary", StreamName=parts.stream_name)
        parts.stream = (found or {}).get("StreamDescriptionSummary")
    return parts


async def _read_function(reader: TolerantReader, parts: DeployedParts, name: str, mapping_id: str | None) -> None:
    parts.function = await reader.find("lambda", "get_function_configuration", FunctionName=name)
    concurrency = await reader.find("lambda", "get_function_concurrency", FunctionName=name)
    parts.reserved_concurrency = (concurrency or {}).get("ReservedConcurrentExecutions")
    if mapping_id:
        parts.mapping = await reader.find("lambda", "get_event_source_mapping", UUID=mapping_id)
    else:
        listed = await reader.find("lambda", "list_event_source_mappings", FunctionName=name)
        found = (listed or {}).get("EventSourceMappings", ())
        parts.mapping = next((row for row in found if ":kinesis:" in row.get("EventSourceArn", "")), None)
    if parts.mapping:
        parts.stream_name = parts.mapping["EventSourceArn"].rpartition("/")[2]
    parts.bucket_name = parts.bucket_name or parts.variables.get("BUCKET_NAME")
