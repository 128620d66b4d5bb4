"""Faults that respond to a whole request with an error, before or after it is carried out."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from truckstream.local.faults.kinds.kind import RequestKind
from truckstream.local.protocol.api_call import ServiceResponse, refuse
from truckstream.local.service.errors import RefusedError

if TYPE_CHECKING:
    from aiohttp import web

    from truckstream.local.faults.kinds.kind import ExchangeSteps, FaultOptions
    from truckstream.local.protocol.api_call import Call
    from truckstream.local.service.state.account import KinesisAccount

__all__ = ["KINDS"]

#: The operations that carry records. All others belong to the control plane.
_DATA_PLANE: Final = frozenset({"PutRecord", "PutRecords", "GetRecords", "GetShardIterator", "SubscribeToShard"})
_STATUS: Final = frozenset({"status"})
#: The responses that come from a load balancer and not from the service.
_PROXY_REASONS: Final = {502: "Bad Gateway", 504: "Gateway Time-out"}


class _RejectedRequest(RequestKind, frozen=True, kw_only=True):
    """An error of the service. `message` may contain {operation}, {stream}, {region} and {account}."""

    code: str
    message: str

    async def serve(self, exchange: ExchangeSteps, options: FaultOptions) -> web.StreamResponse:
        await exchange.receive()
        return await exchange.send(exchange.respond(self._response))

    def _response(self, call: Call, account: KinesisAccount) -> ServiceResponse:
        message = self.message.format(
            operation=call.operation, stream=call.stream_name, region=account.region, account=account.account_id
        )
        return refuse(RefusedError(self.code, message), call.codec.content_type)


class _ThrottledControlPlane(_RejectedRequest, frozen=True):
    def strikes_by_default(self, operation: str) -> bool:
        return operation not in _DATA_PLANE


class _ErrorBefore(RequestKind, frozen=True):
    async def serve(self, exchange: ExchangeSteps, options: FaultOptions) -> web.StreamResponse:
        await exchange.receive()
        return await exchange.send(exchange.respond(partial(self._response, options.status)))

    @staticmethod
    def _response(status: int, call: Call, account: KinesisAccount) -> ServiceResponse:
        return _server_error(status, call.codec.content_type)


class _ErrorAfter(RequestKind, frozen=True):
    async def serve(self, exchange: ExchangeSteps, options: FaultOptions) -> web.StreamResponse:
        await exchange.receive()
        exchange.respond()
        return await exchange.send(_server_error(options.status, exchange.request.content_type))


def _server_error(status: int, content_type: str) -> ServiceResponse:
    status = status or 500
    if (reason := _PROXY_REASONS.get(status)) is not None:
        page = f"<html><head><title>{status} {reason}</title></head><body><h1>{status} {reason}</h1></body></html>"
        return ServiceResponse(status, page.encode(), "text/html")
    return refuse(RefusedError("InternalFailure" if status == 500 else "ServiceUnavailable", ""), content_type)  # noqa: PLR2004


KINDS: Final = (
    _RejectedRequest(
        "access-denied",
        "AccessDeniedException, as without a permission.",
        "Nothing is stored. A retry does not help.",
        code="AccessDeniedException",
        message="User: arn:aws:iam::{account}:user/local is not authorized to perform: kinesis:{operation} on "
        "resource: arn:aws:kinesis:{region}:{account}:stream/{stream} because no identity-based policy allows the "
        "kinesis:{operation} action",
    ),
    _RejectedRequest(
        "expired-token",
        "ExpiredTokenException, as with temporary credentials that have expired.",
        "Nothing is stored. New credentials help.",
        code="ExpiredTokenException",
        message="The security token included in the request is expired",
    ),
    _ThrottledControlPlane(
        "limit-exceeded",
        "LimitExceededException: the control plane's rate is exceeded. PutRecord(s), GetRecords and "
        "GetShardIterator have no such error.",
        "Nothing is done. A later retry helps.",
        code="LimitExceededException",
        message="Rate exceeded for stream {stream} under account {account}.",
    ),
    _ErrorBefore(
        "error-before",
        "HTTP 500 InternalFailure, 503 ServiceUnavailable, or a proxy's page for 502 and 504. Nothing is carried out.",
        "Nothing is stored, but it cannot know: looks like error-after.",
        _STATUS,
    ),
    _ErrorAfter(
        "error-after",
        "The same responses as for error-before, after the request is carried out.",
        "Stored, but it cannot know. A retry makes copies.",
        _STATUS,
    ),
)
