"""Signatures of AWS for OpenSearch: which service and region a host belongs to, and the keys to sign with.

opensearch-py signs with botocore, which would refresh credentials in the middle of a request and block the event loop.
So the keys are taken from the aiobotocore session before each request.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from truckstream.kinesis.session.credentials import SessionCredentials, translate_errors
from truckstream.kinesis.session.default_session import load_aiobotocore, prepared_session
from truckstream.kinesis.session.user_session import aio_session

if TYPE_CHECKING:
    from truckstream.kinesis.session.signing import Keys
    from truckstream.kinesis.session.user_session import UserSession

__all__ = ["AwsHost", "AwsKeys", "aws_host"]

_HOST: Final = re.compile(r"[^.]+\.(?P<region>[a-z0-9-]+)\.(?P<service>es|aoss)\.amazonaws\.com(\.cn)?")


class AwsHost(NamedTuple):
    """The region and the service that a request is signed for: `es`, or `aoss` for OpenSearch Serverless."""

    region: str
    service: str


def aws_host(host: str) -> AwsHost | None:
    """Return what a host's requests are signed for; None if it is not one of AWS."""
    found = _HOST.fullmatch(host)
    return AwsHost(found["region"], found["service"]) if found else None


class AwsKeys:
    """The keys of a session, as the signer of opensearch-py reads them."""

    def __init__(self, session: UserSession | None) -> None:
        self._session = aio_session(session)
        self._source: SessionCredentials | None = None
        self._keys: Keys

    async def refresh(self) -> None:
        """Take the keys to sign with now.

        Raises:
            RequestFailedError: there are no credentials, or they could not be refreshed.
        """
        if self._source is None:
            await load_aiobotocore()
            self._source = SessionCredentials(await translate_errors(prepared_session(self._session)))
        self._keys = await self._source.current()

    def get_frozen_credentials(self) -> Keys:
        return self._keys
