"""A service with its faults behind its endpoint: what runs, in this process or in a child."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from truckstream.local.faults.injector import FaultInjector
from truckstream.local.http.certificate import make_certificate
from truckstream.local.http.endpoint import Endpoint
from truckstream.local.protocol.signature import SignatureCheck
from truckstream.local.service import Service
from truckstream.local.service.operations.streams import create_stream
from truckstream.local.service.state.account import KinesisAccount
from truckstream.local.service.validation.constraints import validate

if TYPE_CHECKING:
    from collections.abc import Callable

    from truckstream.local.options import Options

__all__ = ["ACCOUNT_ID", "REGION_NAME", "Server", "make_service"]

ACCOUNT_ID: Final = "000000000000"
REGION_NAME: Final = "us-east-1"


def make_service(
    stream: str = "truck-sensor-stream",
    shards: int = 1,
    *,
    now: float,
    quota_scale: float = 1.0,
    transition_seconds: float = 0.0,
    max_bytes: float = math.inf,
) -> Service:
    """A service with one stream, ACTIVE from the start, for code that needs no socket.

    Args:
        stream: the stream's name.
        shards: how many.
        now: the start, in seconds since the epoch.
        quota_scale: multiplies all quotas; infinite for none.
        transition_seconds: how long a stream is CREATING, UPDATING or DELETING.
        max_bytes: what all records may take in memory; infinite for no cap.

    Raises:
        RefusedError: the service's refusal of such a stream.
    """
    account = KinesisAccount(
        *(ACCOUNT_ID, REGION_NAME),
        quota_scale=quota_scale,
        transition_seconds=transition_seconds,
        max_bytes=max_bytes,
    )
    # Not through `Service.call`, which counts.
    request = {"StreamName": stream, "ShardCount": shards}
    validate("CreateStream", request)
    create_stream(account, request, now)
    account.named(request, now).transition("ACTIVE", now)
    return Service(account)


class Server:
    """The service of `options`, on `clock`'s time."""

    def __init__(self, options: Options, clock: Callable[[], float]) -> None:
        now = clock()
        self.service = make_service(
            options.stream,
            options.shards,
            now=now,
            quota_scale=options.quota_scale,
            transition_seconds=options.transition_seconds,
            max_bytes=math.inf if options.max_bytes is None else options.max_bytes,
        )
        self.injector = FaultInjector(options.plan, now)
        certificate = make_certificate(options.host) if options.tls else None
        #: The certificate authority to trust, as PEM; empty without TLS.
        self.ca_pem = certificate.ca_pem if certificate else ""
        self._endpoint = Endpoint(
            self.service,
            self.injector,
            options.stream,
            clock,
            options.host,
            options.port,
            signatures=SignatureCheck(options.credentials, REGION_NAME) if options.credentials else None,
            tls=certificate.context if certificate else None,
        )

    async def open(self) -> str:
        """Listen; the endpoint's URL.

        Raises:
            EndpointError: the address cannot be listened on.
        """
        return await self._endpoint.open()

    async def close(self) -> None:
        """Stop listening, and cut what is still connected."""
        await self._endpoint.close()
