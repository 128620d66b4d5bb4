"""The single point of contact with AWS: every call goes through `Account.call`, which translates errors.

It uses aiobotocore clients, one per service, which are created on first use and kept until the account is closed.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from truckstream.cloud.error_hints import hint_for, hint_for_failure, is_absent
from truckstream.cloud.partitions import is_aws_endpoint
from truckstream.errors import AwsError, ConfigurationError
from truckstream.kinesis.session.default_session import load_aiobotocore, prepared_session
from truckstream.kinesis.session.user_session import aio_session

if TYPE_CHECKING:
    from types import TracebackType

    from truckstream.kinesis.session.user_session import UserSession

__all__ = ["Account", "Aws", "credentials_error", "flags_of"]

_LOG_IN: Final = "Log in (aws configure, aws sso login), or set AWS_PROFILE or AWS_ACCESS_KEY_ID in the environment."


def credentials_error(state: str) -> ConfigurationError:
    """Return the error of credentials in this state, such as "were not found"."""
    return ConfigurationError("credentials", state, _LOG_IN)


class Aws(Protocol):
    """The interface of an account that the commands use; tests implement it with scripted responses."""

    @property
    def region(self) -> str: ...

    @property
    def endpoint_url(self) -> str | None: ...

    @property
    def stand_in(self) -> str | None:
        """URL of the endpoint that has answered in place of AWS; None if AWS itself has."""

    async def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Make one call, and raise `AwsError` if AWS returns an error."""

    async def find(self, service: str, operation: str, **parameters: Any) -> dict[str, Any] | None:
        """Make one call, and return None if the resource does not exist."""


def flags_of(aws: Aws) -> tuple[str, ...]:
    """Return the flags that make a `truckstream` or `aws` command use this account's region and endpoint."""
    return ("--region", aws.region, *(("--endpoint-url", aws.endpoint_url) if aws.endpoint_url else ()))


class Account:
    """An account and region of AWS, with the user's own credentials.

    Args:
        region_name: as in aiobotocore; the default is the region of the session.
        endpoint_url: an endpoint for all services in place of AWS, such as that of a local stand-in.
        session: a session of aiobotocore or aioboto3; the default is a new one.

    Raises:
        ConfigurationError: on entering the context, if the region is not set or the profile does not exist.
    """

    def __init__(
        self, *, region_name: str | None = None, endpoint_url: str | None = None, session: UserSession | None = None
    ) -> None:
        self._region_name = region_name
        self.endpoint_url = endpoint_url
        self._session: Any = aio_session(session)
        self._clients: dict[str, Any] = {}
        self._stand_in: str | None = None
        self._resources = AsyncExitStack()

    @property
    def region(self) -> str:
        """The region of all calls."""
        assert self._region_name is not None, "the account is not open"  # noqa: S101 - a bug of ours
        return self._region_name

    @property
    def stand_in(self) -> str | None:
        """URL of the endpoint that has answered in place of AWS; None if AWS itself has.

        An endpoint can also come from the environment or from AWS's configuration file, and one of AWS's own, such as
        that of a VPC, is no stand-in.
        """
        return self._stand_in

    async def __aenter__(self) -> Self:
        await load_aiobotocore()
        from botocore.exceptions import ProfileNotFound  # noqa: PLC0415 - loaded by the line above

        try:
            self._session = await prepared_session(self._session)
            self._session.get_scoped_config()  # raises for a profile that does not exist, even if nothing else needs it
            self._region_name = self._region_name or self._session.get_config_variable("region")
        except ProfileNotFound as error:
            raise ConfigurationError("AWS_PROFILE", f"is unknown ({error})", "Check the name.") from error
        if not self._region_name:
            raise ConfigurationError("region", "is not set", "Pass --region, or set AWS_REGION (us-east-1).")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._resources.aclose()

    async def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Make one call, such as `call("kinesis", "list_shards", StreamName="trucks")`.

        Raises:
            AwsError: AWS returned an error or no response; its hint is a remedy.
            ConfigurationError: credentials are missing or incomplete, or the endpoint is no URL.
        """
        from botocore.exceptions import (  # noqa: PLC0415
            BotoCoreError,
            ClientError,
            NoCredentialsError,
            PartialCredentialsError,
        )
        from botocore.parsers import ResponseParserError  # noqa: PLC0415 - no subclass of BotoCoreError

        try:
            client = await self._client(service)
            response: dict[str, Any] = await getattr(client, operation)(**parameters)
        except NoCredentialsError as error:
            raise credentials_error("were not found") from error
        except PartialCredentialsError as error:
            raise credentials_error(f"are incomplete ({error})") from error
        except ClientError as error:
            details = error.response.get("Error", {})
            code, message = str(details.get("Code", "Unknown")), str(details.get("Message", ""))
            name = f"{service}:{error.operation_name}"
            raise AwsError(code, message, operation=name, hint=hint_for(code, message)) from error
        except (BotoCoreError, ResponseParserError) as error:
            kind = type(error).__name__
            hint = hint_for_failure(kind, self.region)
            raise AwsError(kind, str(error), operation=f"{service}:{operation}", hint=hint) from error
        return response

    async def find(self, service: str, operation: str, **parameters: Any) -> dict[str, Any] | None:
        """Make one call, and return None if the resource does not exist."""
        try:
            return await self.call(service, operation, **parameters)
        except AwsError as error:
            if is_absent(error.code, error.message):
                return None
            raise

    async def _client(self, service: str) -> Any:
        if service not in self._clients:
            from aiobotocore.config import AioConfig  # noqa: PLC0415
            from botocore.exceptions import BotoCoreError  # noqa: PLC0415

            assert self._session is not None, "the account is not open"  # noqa: S101 - a bug of ours
            config = AioConfig(
                connect_timeout=5, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 4}
            )
            await prepared_session(self._session, service)
            context = self._session.create_client(
                service, region_name=self.region, endpoint_url=self.endpoint_url, config=config
            )
            try:
                self._clients[service] = await self._resources.enter_async_context(context)
            except ValueError as error:
                if isinstance(error, BotoCoreError):
                    raise
                hint = "Set --endpoint-url or AWS_ENDPOINT_URL to a URL such as http://127.0.0.1:4566, or unset both."
                raise ConfigurationError("endpoint_url", f"is invalid ({error})", hint) from error
            if not is_aws_endpoint(url := self._clients[service].meta.endpoint_url):
                self._stand_in = url
        return self._clients[service]
