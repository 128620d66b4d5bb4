"""The options of the commands that work on a stream, and the AWS session that follows from them."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cyclopts import Parameter

from truckstream.command_line import command_line
from truckstream.config import load_command_settings
from truckstream.errors import ConfigurationError, StreamNotFoundError
from truckstream.kinesis.session.local_endpoint import is_on_this_machine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiobotocore.session import AioSession

    from truckstream.cloud.aws_account import Account
    from truckstream.config import Settings

__all__ = ["DEFAULT_CONNECTION", "StreamConnection"]

#: A server on this machine needs a region and credentials only because each request is signed.
_LOCAL_REGION: Final = "us-east-1"
_LOCAL_KEY: Final = "local"


@Parameter(name="*")
@dataclass(frozen=True)
class StreamConnection:
    """The service that holds the streams.

    Args:
        region: AWS region. [AWS_REGION]
        endpoint_url: Endpoint in place of the region's. One on this machine needs neither region nor credentials.
    """

    region: str | None = None
    endpoint_url: str | None = None

    def settings(self, stream: str | None = None) -> Settings:
        """Check the region and the stream's name, and export them as `load_command_settings` does."""
        return load_command_settings(region=self.region, stream_name=stream)

    def exported_settings(self, stream: str | None = None) -> Settings:
        """Return the settings of a command whose clients make sessions of their own: those of S3, or other processes.

        The keys and the region that a server on this machine lacks are exported to them.
        """
        settings = self.settings(stream)
        if is_on_this_machine(self.endpoint_url):
            _export_local_keys()
        return settings

    def store(self, given: str | None) -> str | None:
        """Return the store to read: the one that is given, that of STORE_URL, or the bucket. Exports the settings."""
        bucket = self.exported_settings().bucket_name
        return given or os.environ.get("STORE_URL") or (f"s3://{bucket}" if bucket else None)

    async def account(self, stream: str | None = None) -> Account:
        """Return the account to work on; open it as a context. A region in the stream's ARN wins."""
        from truckstream.cloud.aws_account import Account  # noqa: PLC0415

        settings = self.settings(stream)
        region = stream.split(":")[3] if stream and _is_arn(stream) else settings.region
        return Account(region_name=region, endpoint_url=self.endpoint_url, session=await self.session(stream))

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags that make a `truckstream` or `aws` command use the same service."""
        flags = (("--region", self.region), ("--endpoint-url", self.endpoint_url))
        return tuple(word for flag, value in flags if value for word in (flag, value))

    def with_hint(self, error: StreamNotFoundError, stream: str) -> StreamNotFoundError:
        """Return the error with the commands that list the streams and create one."""
        listing = command_line("truckstream", "streams", *self.flags)
        # A command may use a second stream; the service names the one that it has not found.
        named = re.search(r"Stream (\S+) under account", error.message)
        name = named[1] if named else stream.rpartition("/")[2]
        creating = ("aws", "kinesis", "create-stream", "--stream-name", name, "--shard-count", 1, *self.flags)
        hint = f"{listing} lists the streams that exist, and {command_line(*creating)} creates one."
        return StreamNotFoundError(error.code, f"{error.message} {hint}")

    async def session(self, stream: str | None = None) -> AioSession:
        """Return a session with the user's region and credentials.

        Raises:
            ConfigurationError: the profile does not exist, no region is set and `stream` is not an ARN, or there are no
                credentials.
        """
        from aiobotocore.session import get_session  # noqa: PLC0415 - half a second of CPU

        from truckstream.cloud.aws_account import credentials_error  # noqa: PLC0415

        session = get_session()
        with _errors_translated():
            if is_on_this_machine(self.endpoint_url):
                await _fill_in(session)
            region = session.get_config_variable("region")
            if not region and not _is_arn(stream):
                raise ConfigurationError("region", "is not set", "Pass --region, or set AWS_REGION (us-east-1).")
            if await session.get_credentials() is None:
                raise credentials_error("were not found")
        return session


def _export_local_keys() -> None:
    """Let the clients of S3 sign with local keys and a local region where the user has set none."""
    from botocore.session import Session  # noqa: PLC0415 - half a second of CPU

    session = Session()
    with _errors_translated():
        session.get_component("credential_provider").remove("iam-role")  # as in _fill_in
        if session.get_credentials() is None:
            os.environ.update(AWS_ACCESS_KEY_ID=_LOCAL_KEY, AWS_SECRET_ACCESS_KEY=_LOCAL_KEY)
        if not session.get_config_variable("region"):
            os.environ["AWS_DEFAULT_REGION"] = _LOCAL_REGION


@contextlib.contextmanager
def _errors_translated() -> Iterator[None]:
    from botocore.exceptions import PartialCredentialsError, ProfileNotFound  # noqa: PLC0415 - half a second of CPU

    from truckstream.cloud.aws_account import credentials_error  # noqa: PLC0415

    try:
        yield
    except ProfileNotFound as error:
        raise ConfigurationError("AWS_PROFILE", f"is unknown ({error})", "Check the name.") from error
    except PartialCredentialsError as error:
        raise credentials_error(f"are incomplete ({error})") from error


def _is_arn(stream: str | None) -> bool:
    return stream is not None and stream.startswith("arn:")


async def _fill_in(session: AioSession) -> None:
    """Set the region and the credentials that the user has not set."""
    if not session.get_config_variable("region"):
        session.set_config_variable("region", _LOCAL_REGION)
    # The metadata service of EC2 is not asked: outside of EC2 it costs seconds until it has not answered.
    session.get_component("credential_provider").remove("iam-role")
    if await session.get_credentials() is None:
        session.set_credentials(_LOCAL_KEY, _LOCAL_KEY)


DEFAULT_CONNECTION = StreamConnection()
