"""The one door to AWS: every call of these commands goes through `Account.call`, which translates what goes wrong.

Clients are aiobotocore's, made when first used and kept until the end: one a service.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from truckstream.cloud.error_hints import hint_for, hint_for_failure, is_absent
from truckstream.errors import AwsError, ConfigurationError

if TYPE_CHECKING:
    from types import TracebackType

    from aiobotocore.session import AioSession

__all__ = ["Account", "Aws"]

_LOG_IN: Final = "Log in (aws configure, aws sso login), or set AWS_PROFILE or AWS_ACCESS_KEY_ID in the environment."


class Aws(Protocol):
    """What the commands need of an account."""

    @property
    def region(self) -> str: ...

    @property
    def endpoint_url(self) -> str | None: ...

    async def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Make one call; `AwsError` if AWS refuses."""

    async def ask(self, service: str, operation: str, **parameters: Any) -> dict[str, Any] | None:
        """Make one call; None if what it asks for is not there."""


class Account:
    """An account and region of AWS, with the user's own credentials.

    Args:
        region_name: as in aiobotocore; by default the session's own.
        endpoint_url: another endpoint for all services, such as a local stand-in's.
        session: an aiobotocore session (or aioboto3's `_session`); a new one by default.

    Raises:
        ConfigurationError: on entering, there is no region or no such profile.
    """

    def __init__(
        self, *, region_name: str | None = None, endpoint_url: str | None = None, session: AioSession | None = None
    ) -> None:
        self._region_name = region_name
        self.endpoint_url = endpoint_url
        self._session = session
        self._clients: dict[str, Any] = {}
        self._resources = AsyncExitStack()

    @property
    def region(self) -> str:
        """The region that all calls go to."""
        assert self._region_name is not None, "the account is not open"  # noqa: S101 - a bug of ours
        return self._region_name

    async def __aenter__(self) -> Self:
        from aiobotocore.session import get_session  # noqa: PLC0415 - half a second of CPU, for those who need it
        from botocore.exceptions import ProfileNotFound  # noqa: PLC0415

        self._session = self._session or get_session()
        try:
            self._session.get_scoped_config()  # looks for the profile even where nothing else needs it
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
            AwsError: AWS refused, or did not answer; with what helps.
            ConfigurationError: there are no credentials, or only half of them; or the endpoint is no URL.
        """
        from botocore.exceptions import (  # noqa: PLC0415
            BotoCoreError,
            ClientError,
            NoCredentialsError,
            PartialCredentialsError,
        )
        from botocore.parsers import ResponseParserError  # noqa: PLC0415 - of another family

        try:
            client = await self._client(service)
            answer: dict[str, Any] = await getattr(client, operation)(**parameters)
        except NoCredentialsError as error:
            raise ConfigurationError("credentials", "were not found", _LOG_IN) from error
        except PartialCredentialsError as error:
            raise ConfigurationError("credentials", f"are incomplete ({error})", _LOG_IN) from error
        except ClientError as error:
            told = error.response.get("Error", {})
            code, message = str(told.get("Code", "Unknown")), str(told.get("Message", ""))
            name = f"{service}:{error.operation_name}"
            raise AwsError(code, message, operation=name, hint=hint_for(code, message)) from error
        except (BotoCoreError, ResponseParserError) as error:
            kind = type(error).__name__
            hint = hint_for_failure(kind, self.region)
            raise AwsError(kind, str(error), operation=f"{service}:{operation}", hint=hint) from error
        return answer

    async def ask(self, service: str, operation: str, **parameters: Any) -> dict[str, Any] | None:
        """Make one call; None if what it asks for is not there."""
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
            context = self._session.create_client(
                service, region_name=self.region, endpoint_url=self.endpoint_url, config=config
            )
            try:
                self._clients[service] = await self._resources.enter_async_context(context)
            except ValueError as error:
                if isinstance(error, BotoCoreError):
                    raise
                hint = "Look at --endpoint-url and AWS_ENDPOINT_URL: http://127.0.0.1:4566, or none for AWS."
                raise ConfigurationError("endpoint_url", f"is refused ({error})", hint) from error
        return self._clients[service]
