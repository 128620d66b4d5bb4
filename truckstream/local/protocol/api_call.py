"""The AWS JSON and CBOR protocols without HTTP: from the bytes of a POST to a call, and from its result to bytes.

The Content-Type of a request names its encoding, and the response or error has the same encoding. As in the service,
the operation and the body are checked before the signature, and the signature before everything else. The errors for
malformed requests were recorded from the service (see `service.errors`); the service has further forms of them, in XML
and in an older JSON, for content types that no SDK sends. Here those get JSON 1.1.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from truckstream.local.protocol import codec_cbor, codec_json, event_stream
from truckstream.local.protocol.codec_json import CONTENT_TYPE
from truckstream.local.service.errors import RefusedError, not_readable, unknown_operation
from truckstream.local.service.service import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from truckstream.local.service import Service
    from truckstream.local.service.messages import Request
    from truckstream.local.service.operations.subscribe_to_shard import Subscription
    from truckstream.local.service.state.account import RecordFault

__all__ = [
    "CONTENT_TYPE",
    "MAX_BODY",
    "Call",
    "EventStream",
    "ServiceResponse",
    "carry_out",
    "no_post",
    "operation_of",
    "refuse",
    "respond",
    "understand",
]

#: Largest body of a request in bytes. 10 MiB of records are 14 MB of base64, and 500 keys of 256 characters add more.
MAX_BODY: Final = 16 * 1024 * 1024
_TARGET_PREFIX: Final = "Kinesis_20131202."

_log: Final = logging.getLogger(__name__)


class Codec(NamedTuple):
    """An encoding of requests and responses."""

    content_type: str
    decode: Callable[[str, bytes], Request]
    encode: Callable[[Any], bytes]


_JSON: Final = Codec(codec_json.CONTENT_TYPE, codec_json.decode, codec_json.encode)
_CBOR: Final = Codec(codec_cbor.CONTENT_TYPE, codec_cbor.decode, codec_cbor.encode)
_CODECS: Final = {codec.content_type: codec for codec in (_JSON, _CBOR)}


class ServiceResponse(NamedTuple):
    """A response without its HTTP headers. The body is empty for operations without output."""

    status: int
    body: bytes
    content_type: str = CONTENT_TYPE
    #: The stream of a SubscribeToShard, which takes the place of `body`.
    events: EventStream | None = None


class EventStream:
    """Encodes the events of a subscription as messages of an event stream."""

    def __init__(self, subscription: Subscription, codec: Codec) -> None:
        self._subscription = subscription
        self._codec = codec
        self._is_begun = False

    @property
    def is_over(self) -> bool:
        """Whether the last message has been returned."""
        return self._subscription.is_over

    def next_message(self, now: float) -> bytes:
        """Return the bytes to send now, or no bytes if no event is due or `is_over`."""
        if not self._is_begun:
            self._is_begun = True
            return event_stream.event("initial-response", self._codec.encode({}), self._codec.content_type)
        try:
            event = self._subscription.next_event(now)
        except RefusedError as refusal:
            payload = self._codec.encode({"message": refusal.message})
            return event_stream.exception(refusal.code, payload, self._codec.content_type)
        if event is None:
            return b""
        return event_stream.event("SubscribeToShardEvent", self._codec.encode(event), self._codec.content_type)


class Call(NamedTuple):
    """A parsed request: a known operation, and members of the right types."""

    operation: str
    request: Request
    codec: Codec

    @property
    def stream_name(self) -> str:
        """The name of the stream in the request, or "*"."""
        return str(self.request.get("StreamName") or self.request.get("StreamARN", "*").rpartition("/")[2])


def respond(service: Service, *, target: str, content_type: str, body: bytes, now: float) -> ServiceResponse:
    """Parse and carry out one POST without checking its signature. Never raises.

    Args:
        service: the service that carries the call out.
        target: the X-Amz-Target header.
        content_type: the Content-Type header, without parameters.
        body: the body as it was received.
        now: seconds since the epoch.
    """
    call = understand(target, content_type, body)
    return carry_out(service, call, now) if isinstance(call, Call) else call


def understand(target: str, content_type: str, body: bytes) -> Call | ServiceResponse:
    """Return the call that a POST makes, or the error response if it cannot be parsed. Never raises."""
    operation = operation_of(target)
    is_known = operation != target and operation in OPERATIONS
    if not body:
        # Without a body the service assumes CBOR, unless the content type is JSON.
        assumed = _JSON if content_type == _JSON.content_type else _CBOR
        return _error_in(assumed, not_readable() if is_known else unknown_operation())
    if (codec := _CODECS.get(content_type)) is None:
        service, _, name = target.partition(".")
        return _error_in(_JSON, unknown_operation(), status=404) if service and name else no_post()
    try:
        # The service reports an unreadable body before an unknown operation. Any operation without members will do to
        # find out whether the body can be read.
        request = codec.decode(operation if is_known else "DescribeLimits", body)
    except RefusedError as refusal:
        return _error_in(codec, refusal)
    except Exception:  # noqa: BLE001 - see carry_out
        return _internal_failure(codec)
    return Call(operation, request, codec) if is_known else _error_in(codec, unknown_operation())


def carry_out(service: Service, call: Call, now: float, record_fault: RecordFault | None = None) -> ServiceResponse:
    """Carry out a parsed call. Never raises."""
    codec = call.codec
    try:
        response = service.call(call.operation, call.request, now, record_fault)
    except RefusedError as refusal:
        return _error_in(codec, refusal)
    except Exception:  # noqa: BLE001 - a client must see our bug as it would see one of the service
        return _internal_failure(codec)
    if response is None:
        return ServiceResponse(200, b"", codec.content_type)
    if call.operation == "SubscribeToShard":
        return ServiceResponse(200, b"", event_stream.CONTENT_TYPE, EventStream(response["EventStream"], codec))
    return ServiceResponse(200, codec.encode(response), codec.content_type)


def operation_of(target: str) -> str:
    """Return the operation that the X-Amz-Target header names, known or not."""
    return target.removeprefix(_TARGET_PREFIX)


def refuse(refusal: RefusedError, content_type: str) -> ServiceResponse:
    """Return the response for an error, in the encoding of its request."""
    codec = _CODECS.get(content_type)
    return _error_in(_JSON, refusal, status=403) if codec is None else _error_in(codec, refusal)


def no_post() -> ServiceResponse:
    """Return the response to a request that names no operation."""
    text = "Unable to determine service/operation name to be authorized"
    return _error_in(_JSON, RefusedError("AccessDeniedException", text), status=403)


def _error_in(codec: Codec, refusal: RefusedError, status: int | None = None) -> ServiceResponse:
    document = {"__type": refusal.code}
    if refusal.message:
        # The service's parser spells the member in a way of its own.
        document["Message" if refusal.code == "SerializationException" else "message"] = refusal.message
    return ServiceResponse(status or refusal.status, codec.encode(document), codec.content_type)


def _internal_failure(codec: Codec) -> ServiceResponse:
    _log.exception("a bug of the local Kinesis, returned as InternalFailure")
    return _error_in(codec, RefusedError("InternalFailure", ""))
