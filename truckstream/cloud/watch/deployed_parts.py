"""What is deployed, read once for status, doctor and scale: the raw answers of AWS, and what could not be read.

Parts are found by the stack's outputs, or, for a pipeline that was made by hand, from the function on: its mapping
names the stream, and its variables name the bucket.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from truckstream.cloud.deployment.cloudformation import find_stack
from truckstream.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truckstream.cloud.aws_account import Aws
    from truckstream.cloud.deployment.stack import Stack

__all__ = ["Parts", "read_parts"]

Answer = dict[str, Any]


@dataclass(slots=True)
class Parts:
    """The deployed parts, as AWS describes them; None for what is not there."""

    stack: Stack | None = None
    stream_name: str | None = None
    bucket_name: str | None = None
    function_name: str | None = None
    stream: Answer | None = None
    mapping: Answer | None = None
    function: Answer | None = None
    reserved_concurrency: int | None = None
    #: What could not be looked at, and why.
    unread: list[AwsError] = field(default_factory=list)

    @property
    def variables(self) -> Mapping[str, str]:
        """The function's environment."""
        found: Mapping[str, str] = (self.function or {}).get("Environment", {}).get("Variables", {})
        return found

    @property
    def shards(self) -> int:
        return int((self.stream or {}).get("OpenShardCount", 0))

    @property
    def on_demand(self) -> bool:
        details = (self.stream or {}).get("StreamModeDetails", {})
        return bool(details.get("StreamMode") == "ON_DEMAND")


async def read_parts(aws: Aws, stack_name: str, function_name: str | None = None) -> Parts:
    """Find and describe the parts.

    Args:
        aws: the account and region.
        stack_name: the stack that `deploy` made.
        function_name: for a pipeline without a stack.
    """
    reader = _Reader(aws, Parts())
    await reader.read(stack_name, function_name)
    return reader.parts


@dataclass(slots=True)
class _Reader:
    aws: Aws
    parts: Parts

    async def read(self, stack_name: str, function_name: str | None) -> None:
        parts = self.parts
        if function_name is None:
            stack = await find_stack(self.aws, stack_name)
            parts.stack = stack if stack and stack.exists else None
        outputs = parts.stack.outputs if parts.stack else {}
        parts.function_name = function_name or outputs.get("FunctionName")
        parts.stream_name = outputs.get("StreamName")
        parts.bucket_name = outputs.get("BucketName")
        if parts.function_name:
            await self._read_function(parts.function_name, outputs.get("MappingId"))
        if parts.stream_name:
            answer = await self._try("kinesis", "describe_stream_summary", StreamName=parts.stream_name)
            parts.stream = (answer or {}).get("StreamDescriptionSummary")

    async def _read_function(self, name: str, mapping_id: str | None) -> None:
        parts = self.parts
        parts.function = await self._try("lambda", "get_function_configuration", FunctionName=name)
        answer = await self._try("lambda", "get_function_concurrency", FunctionName=name)
        parts.reserved_concurrency = (answer or {}).get("ReservedConcurrentExecutions")
        if mapping_id:
            parts.mapping = await self._try("lambda", "get_event_source_mapping", UUID=mapping_id)
        else:
            listed = await self._try("lambda", "list_event_source_mappings", FunctionName=name)
            found = (listed or {}).get("EventSourceMappings", ())
            parts.mapping = next((row for row in found if ":kinesis:" in row.get("EventSourceArn", "")), None)
        if parts.mapping:
            parts.stream_name = parts.mapping["EventSourceArn"].rpartition("/")[2]
        parts.bucket_name = parts.bucket_name or parts.variables.get("BUCKET_NAME")

    async def _try(self, service: str, operation: str, **parameters: Any) -> Answer | None:
        try:
            return await self.aws.ask(service, operation, **parameters)
        except AwsError as error:
            self.parts.unread.append(error)
            return None
