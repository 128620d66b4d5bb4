"""The options that all commands on AWS share: which stack, which account, and the form of the output."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cyclopts import Parameter

from truckstream.cloud.deployment.cloudformation.stack_operations import POLL_SECONDS
from truckstream.config import Settings, load_command_settings

if TYPE_CHECKING:
    from truckstream.cloud.aws_account import Account

__all__ = ["DEFAULT_OPTIONS", "AwsOptions"]


@Parameter(name="*")
@dataclass(frozen=True)
class AwsOptions:
    """The stack and the account that a command works on.

    Args:
        stack: Name of the stack, and of the function.
        region: AWS region. [AWS_REGION]
        endpoint_url: Endpoint in place of AWS, such as that of a local stand-in. [AWS_ENDPOINT_URL]
        json: Print the result as JSON.
    """

    stack: str = "truckstream"
    region: str | None = None
    endpoint_url: str | None = None
    json: bool = False

    def settings(self, stream: str | None = None, bucket: str | None = None) -> Settings:
        """Read the settings from flags, environment and `.env`."""
        return load_command_settings(stream_name=stream, bucket_name=bucket, region=self.region)

    def account(self, settings: Settings) -> Account:
        """Return the account to work on; open it as a context."""
        from truckstream.cloud.aws_account import Account  # noqa: PLC0415

        return Account(region_name=settings.region, endpoint_url=self._endpoint_url)

    @property
    def poll(self) -> float:
        """Seconds between two calls for the state of a stack; a local stand-in is faster than AWS."""
        return 0.1 if self._endpoint_url else POLL_SECONDS

    @property
    def given_flags(self) -> tuple[str, ...]:
        """The flags about the account that were given, for a command on the same one."""
        flags = (("--region", self.region), ("--endpoint-url", self.endpoint_url))
        return tuple(word for flag, value in flags if value for word in (flag, value))

    @property
    def _endpoint_url(self) -> str | None:
        return self.endpoint_url or os.environ.get("AWS_ENDPOINT_URL")


DEFAULT_OPTIONS = AwsOptions()
