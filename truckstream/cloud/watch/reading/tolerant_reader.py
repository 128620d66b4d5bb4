"""Calls to AWS whose failures leave a gap in a result instead of ending it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from truckstream.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from truckstream.cloud.aws_account import Aws

__all__ = ["TolerantReader"]

_T = TypeVar("_T")


@dataclass(slots=True)
class TolerantReader:
    """Reads from AWS and collects the errors of reads that failed: a page with a gap is better than none."""

    aws: Aws
    unread: list[AwsError] = field(default_factory=list)

    async def find(self, service: str, operation: str, **parameters: Any) -> dict[str, Any] | None:
        """Make one call, and return None if the resource does not exist or the call failed."""
        return await self.attempt(self.aws.find(service, operation, **parameters), None)

    async def attempt(self, work: Awaitable[_T], default: _T) -> _T:
        """Await `work`, and return `default` if AWS returned an error."""
        try:
            return await work
        except AwsError as error:
            self.unread.append(error)
            return default
