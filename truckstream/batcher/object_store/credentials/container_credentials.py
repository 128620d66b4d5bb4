"""Credentials for S3 from a URL in the environment, as Lambda's SnapStart, EKS and ECS offer them.

| variable | meaning |
|---|---|
| AWS_CONTAINER_CREDENTIALS_FULL_URI | the URL |
| AWS_CONTAINER_AUTHORIZATION_TOKEN | the request's Authorization header; or |
| AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE | a file with it, which is read at each request because its content rotates |

Lambda does not set AWS_ACCESS_KEY_ID in a function with SnapStart, because a snapshot would keep keys that expire. The
rules are those of AWS's SDKs (AWS SDKs and Tools reference guide, "Container credential provider", 2026-11): http is
allowed only where nobody can listen. obstore reads neither AWS_CONTAINER_AUTHORIZATION_TOKEN nor an https URL's token,
so this class is its credential provider. obstore calls it again before the credentials expire.
"""

from __future__ import annotations

import contextlib
import ipaddress
import time
from datetime import datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

from truckstream.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from obstore.store import S3Credential

__all__ = ["ContainerCredentials"]

_URI: Final = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
_TOKEN: Final = "AWS_CONTAINER_AUTHORIZATION_TOKEN"  # noqa: S105 - a variable's name
_TOKEN_FILE: Final = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"  # noqa: S105 - a variable's name

#: Other sources of credentials, which come first in AWS's SDKs.
_FIRST: Final = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")

#: The addresses of ECS and EKS, which no other machine can have.
_LINK_LOCAL: Final = ("169.254.170.2", "169.254.170.23", "fd00:ec2::23")

#: As botocore has them. The endpoint is on this machine, so that a pause means that it is just starting.
_ATTEMPTS: Final = 3
_PAUSE: Final = 0.3
_TIMEOUT: Final = 2.0


class _Answer(msgspec.Struct):
    access_key_id: str = msgspec.field(name="AccessKeyId")
    secret_access_key: str = msgspec.field(name="SecretAccessKey")
    token: str | None = msgspec.field(name="Token", default=None)
    expiration: datetime | None = msgspec.field(name="Expiration", default=None)


class ContainerCredentials:
    """A callable that fetches the credentials, for obstore's `credential_provider`.

    Raises:
        ConfigurationError: the URL is not one that AWS's SDKs accept.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._url = urlsplit(environment[_URI])
        self._token = environment.get(_TOKEN)
        self._token_file = environment.get(_TOKEN_FILE)
        host = self._url.hostname or ""
        if self._url.scheme not in {"http", "https"} or not host:
            raise ConfigurationError(_URI, f"is {environment[_URI]!r}", "Set it to an http:// or https:// URL.")
        if self._url.scheme == "http" and not _is_private(host):
            hint = f"Over http:// the host must be this machine or one of {', '.join(_LINK_LOCAL)}; use https://."
            raise ConfigurationError(_URI, f"is {environment[_URI]!r}", hint)

    @classmethod
    def find(cls, environment: Mapping[str, str]) -> ContainerCredentials | None:
        """Return the credentials that the environment describes, or None if another source comes first."""
        if not environment.get(_URI) or any(environment.get(name) for name in _FIRST):
            return None
        return cls(environment)

    def __call__(self) -> S3Credential:
        """Fetch the credentials.

        Raises:
            OSError: the endpoint returned an error, something else than credentials, or nothing. obstore reports it.
        """
        answer = self._ask()
        return {
            "access_key_id": answer.access_key_id,
            "secret_access_key": answer.secret_access_key,
            "token": answer.token,
            "expires_at": answer.expiration,
        }

    def _ask(self) -> _Answer:
        attempt = 1
        while True:
            try:
                return msgspec.json.decode(self._fetch(), type=_Answer)
            except (OSError, HTTPException, msgspec.DecodeError) as error:
                if attempt == _ATTEMPTS:
                    problem = f"{self._url.hostname} returned no credentials: {str(error) or type(error).__name__}"
                    raise OSError(f"{problem}. Check {_URI} and the authorization token.") from error
            attempt += 1
            time.sleep(_PAUSE)

    def _fetch(self) -> bytes:
        kind = HTTPSConnection if self._url.scheme == "https" else HTTPConnection
        connection = kind(self._url.hostname or "", self._url.port, timeout=_TIMEOUT)
        with contextlib.closing(connection):
            path = self._url.path or "/"
            connection.request("GET", f"{path}?{self._url.query}" if self._url.query else path, headers=self._headers())
            response = connection.getresponse()
            body = response.read()
        if response.status != 200:  # noqa: PLR2004 - OK
            raise OSError(f"status {response.status}")
        return body

    def _headers(self) -> dict[str, str]:
        token = Path(self._token_file).read_text(encoding="utf-8").strip() if self._token_file else self._token
        return {"Accept": "application/json"} | ({"Authorization": token} if token else {})


def _is_private(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return host in _LINK_LOCAL or ipaddress.ip_address(host).is_loopback
    return host == "localhost"
