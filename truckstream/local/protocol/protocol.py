"""The AWS protocols over HTTP, without the HTTP: what a POST means, and what answers it.

A request says in its Content-Type how it is encoded, and its answer, or its error, is encoded in the same way. What it
is for, and whether it can be read, is looked at before its signature, and that before everything else. All of what is
answered to requests that are none was recorded from the service (see `service.refusal`).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from xml.sax.saxutils import escape

from truckstream.local.protocol import codec_cbor, codec_json
from truckstream.local.protocol import event_stream as eventstream
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

#: Of a request's body: 10 MiB of records are 14 MB of base64, and 500 records with keys of 256 characters some more.
MAX_BODY: Final = 16 * 1024 * 1024
_TARGET_PREFIX: Final = "Kinesis_20131202."

_log: Final = logging.getLogger(__name__)


class Codec(NamedTuple):
    """One of the encodings of a request and its answer."""

    content_type: str
    decode: Callable[[str, bytes], Request]
    encode: Callable[[Any], bytes]


_JSON: Final = Codec(codec_json.CONTENT_TYPE, codec_json.decode, codec_json.encode)
_CBOR: Final = Codec(codec_cbor.CONTENT_TYPE, codec_cbor.decode, codec_cbor.encode)
_CODECS: Final = {codec.content_type: codec for codec in (_JSON, _CBOR)}
#: Of an older protocol, in which the service answers to nothing.
_OLD_JSON: Final = "application/json"
_XML: Final = "text/xml"


class ServiceResponse(NamedTuple):
    """Status and body; an empty body is the answer of the operations that have no output."""

    status: int
    body: bytes
    content_type: str = CONTENT_TYPE
    #: The body of a SubscribeToShard, instead of `body`.
    events: EventStream | None = None


class EventStream:
    """A subscription as the messages of an event stream."""

    def __init__(self, subscription: Subscription, codec: Codec) -> None:
        self._subscription = subscription
        self._codec = codec
        self._is_begun = False

    @property
    def is_over(self) -> bool:
        """No message follows."""
        return self._subscription.is_over

    def next_message(self, now: float) -> bytes:
        """The bytes to send now; none when there is nothing to tell yet, or ever (`is_over`)."""
        if not self._is_begun:
            self._is_begun = True
            return eventstream.event("initial-response", self._codec.encode({}), self._codec.content_type)
        try:
            event = self._subscription.next_event(now)
        except RefusedError as refusal:
            payload = self._codec.encode({"message": refusal.message})
            return eventstream.exception(refusal.code, payload, self._codec.content_type)
        if event is None:
            return b""
        return eventstream.event("SubscribeToShardEvent", self._codec.encode(event), self._codec.content_type)


class Call(NamedTuple):
    """A request that could be read: for a known operation, with members of the right types."""

    operation: str
    request: Request
    codec: Codec

    @property
    def stream_name(self) -> str:
        """The stream that it names; "*" where it names none."""
        return str(self.request.get("StreamName") or self.request.get("StreamARN", "*").rpartition("/")[2])


def respond(service: Service, *, target: str, content_type: str, body: bytes, now: float) -> ServiceResponse:
    """Answer one POST, whoever signed it. Never raises.

    Args:
        service: who answers.
        target: the X-Amz-Target header.
        content_type: the Content-Type header, without parameters.
        body: as it came.
        now: seconds since the epoch.
    """
    call = understand(target, content_type, body)
    return carry_out(service, call, now) if isinstance(call, Call) else call


def understand(target: str, content_type: str, body: bytes) -> Call | ServiceResponse:
    """What a POST asks for, or what answers one that cannot be understood. Never raises."""
    operation = operation_of(target)
    is_known = operation != target and operation in OPERATIONS
    if not body:
        spoken = _JSON if content_type == _JSON.content_type else _CBOR
        return _refuse_in(spoken, not_readable() if is_known else unknown_operation())
    if content_type == _OLD_JSON:
        return _refuse_in_old_json(body)
    if (codec := _CODECS.get(content_type)) is None:
        service, _, name = target.partition(".")
        return _in_xml(404, unknown_operation()) if service and name else no_post()
    try:
        # An unknown operation is told after what cannot be read; for that look, one without members will do.
        request = codec.decode(operation if is_known else "DescribeLimits", body)
    except RefusedError as refusal:
        return _refuse_in(codec, refusal)
    except Exception:  # noqa: BLE001 - see carry_out
        return _bug(codec)
    return Call(operation, request, codec) if is_known else _refuse_in(codec, unknown_operation())


def carry_out(service: Service, call: Call, now: float, record_fault: RecordFault | None = None) -> ServiceResponse:
    """Answer a request that was understood. Never raises."""
    codec = call.codec
    try:
        answer = service.call(call.operation, call.request, now, record_fault)
    except RefusedError as refusal:
        return _refuse_in(codec, refusal)
    except Exception:  # noqa: BLE001 - what a client must see of our bug is what it sees of the service's
        return _bug(codec)
    if answer is None:
        return ServiceResponse(200, b"", codec.content_type)
    if call.operation == "SubscribeToShard":
        return ServiceResponse(200, b"", eventstream.CONTENT_TYPE, EventStream(answer["EventStream"], codec))
    return ServiceResponse(200, codec.encode(answer), codec.content_type)


def operation_of(target: str) -> str:
    """The operation that the X-Amz-Target header names, known or not."""
    return target.removeprefix(_TARGET_PREFIX)


def refuse(refusal: RefusedError, content_type: str) -> ServiceResponse:
    """The answer that carries a refusal, in the encoding of its request."""
    codec = _CODECS.get(content_type)
    return _in_xml(403, refusal) if codec is None else _refuse_in(codec, refusal)


def no_post() -> ServiceResponse:
    """The answer to what is no request for an operation."""
    text = "Unable to determine service/operation name to be authorized"
    return _in_xml(403, RefusedError("AccessDeniedException", text))


def _refuse_in(codec: Codec, refusal: RefusedError) -> ServiceResponse:
    document = {"__type": refusal.code}
    if refusal.message:
        # The parser before the service spells it in its own way.
        document["Message" if refusal.code == "SerializationException" else "message"] = refusal.message
    return ServiceResponse(refusal.status, codec.encode(document), codec.content_type)


def _bug(codec: Codec) -> ServiceResponse:
    _log.exception("a bug of the local Kinesis, answered as InternalFailure")
    return _refuse_in(codec, RefusedError("InternalFailure", ""))


def _refuse_in_old_json(body: bytes) -> ServiceResponse:
    try:
        codec_json.decode("DescribeLimits", body)
    except RefusedError as refusal:
        status, code = 400, refusal.code
    else:
        status, code = 404, "UnknownOperationException"
    document = {"Output": {"__type": f"com.amazon.coral.service#{code}"}, "Version": "1.0"}
    return ServiceResponse(status, codec_json.encode(document), _OLD_JSON)


def _in_xml(status: int, refusal: RefusedError) -> ServiceResponse:
    if not refusal.message:
        return ServiceResponse(status, f"<{refusal.code}/>\n".encode(), _XML)
    text = f"<{refusal.code}>\n  <Message>{escape(refusal.message)}</Message>\n</{refusal.code}>\n"
    return ServiceResponse(status, text.encode(), _XML)
