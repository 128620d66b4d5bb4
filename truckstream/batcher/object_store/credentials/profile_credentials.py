"""Credentials and region for S3 from the user's AWS configuration: profiles, single sign-on, assumed roles.

`aws configure` and `aws sso login` write to ~/.aws, which obstore does not read (0.12). Without this, a bucket could be
used on a laptop only with keys in the environment. botocore reads these files, with the precedence of AWS's SDKs; its
half a second of CPU is spent only where there is a configuration, so never in a function.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from truckstream.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.credentials import Credentials
    from obstore.store import S3Credential

__all__ = ["ProfileCredentials", "profile_options"]

#: The files of the configuration, and the variables that name others.
_FILES: Final = {"AWS_CONFIG_FILE": "~/.aws/config", "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials"}

#: How long obstore may keep credentials. botocore renews those that expire within ten minutes.
_KEPT: Final = timedelta(minutes=8)


class ProfileCredentials:
    """A callable that returns the present credentials of botocore, for obstore's `credential_provider`."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def __call__(self) -> S3Credential:
        """Return the credentials, renewed if they are about to expire.

        Raises:
            OSError: they cannot be renewed, such as after the end of a session of single sign-on. obstore reports it.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - loaded already

        until = datetime.now(UTC) + _KEPT
        try:
            found = self._credentials.get_frozen_credentials()
        except (BotoCoreError, ClientError) as error:
            raise OSError(f"the AWS configuration has no valid credentials: {error}") from error
        return {
            "access_key_id": found.access_key or "",
            "secret_access_key": found.secret_key or "",
            "token": found.token,
            "expires_at": until,
        }


def profile_options(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return obstore's options from the user's AWS configuration. Keys in the environment come first.

    Raises:
        ConfigurationError: the configuration has no such profile, or cannot be read.
    """
    if environment.get("AWS_ACCESS_KEY_ID") or not _has_configuration(environment):
        return {}
    try:
        from botocore.exceptions import BotoCoreError, ProfileNotFound  # noqa: PLC0415 - half a second of CPU
        from botocore.session import Session  # noqa: PLC0415
    except ModuleNotFoundError:  # a function's package has no botocore
        return {}
    session = Session()
    try:
        credentials = session.get_credentials()
        region = session.get_config_variable("region")
    except ProfileNotFound as error:
        raise ConfigurationError("AWS_PROFILE", f"is unknown ({error})", "Check the name.") from error
    except BotoCoreError as error:
        hint = "Log in again (aws sso login), or correct ~/.aws/config."
        problem = " ".join(f"cannot be used: {error}".split())
        raise ConfigurationError("the AWS configuration", problem, hint) from error
    options: dict[str, Any] = {} if credentials is None else {"credential_provider": ProfileCredentials(credentials)}
    if region and not environment.get("AWS_REGION"):
        options["region"] = region
    return options


def _has_configuration(environment: Mapping[str, str]) -> bool:
    if environment.get("AWS_PROFILE"):
        return True
    return any(Path(environment.get(name) or path).expanduser().is_file() for name, path in _FILES.items())
