"""The AWS protocols over HTTP, without the HTTP: what a POST means, and what answers it.

A request says in its Content-Type how it is encoded, and its answer, or its error, is encoded in the same way.
"""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from truckstream.local import codec_cbor, codec_json, eventstream
from truckstream.local.codec_json import CONTENT_TYPE
from truckstream.local.service.operations import OPERATIONS
from truckstream.local.service.refusal import RefusedError, unknown_operation

if TYPE_CHECKING:
    from collections.abc import Callable

    from truckstream.local.service import Service
    from truckstream.local.service.account import Request
    from truckstream.local.service.subscribe import Subscription

__all__ = ["CONTENT_TYPE", "EventStream", "HttpAnswer", "operation_of", "refuse", "respond", "stream_name_of"]

_TARGET_PREFIX: Final = "Kinesis_20131202."

_log: Final = logging.getLogger(__name__)


class Codec(NamedTuple):
    """One of the encodings of a request and its answer."""

    content_type: str
    decode: Callable[[str, bytes], Request]
    encode: Callable[[Any], bytes]


_JSON: Final = Codec(codec_json.CONTENT_TYPE, codec_json.decode, codec_json.encode)
_CODECS: Final = {
    codec_json.CONTENT_TYPE: _JSON,
    "application/json": _JSON,
    codec_cbor.CONTENT_TYPE: Codec(codec_cbor.CONTENT_TYPE, codec_cbor.decode, codec_cbor.encode),
}


class HttpAnswer(NamedTuple):
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


def respond(service: Service, *, target: str, content_type: str, body: bytes, now: float) -> HttpAnswer:
    """Answer one POST. Never raises.

    Args:
        service: who answers.
        target: the X-Amz-Target header.
        content_type: the Content-Type header, without parameters.
        body: as it came.
        now: seconds since the epoch.
    """
    codec = _CODECS.get(content_type, _JSON)
    try:
        operation = _operation(target, content_type)
        answer = service.call(operation, codec.decode(operation, body), now)
    except RefusedError as refusal:
        return refuse(refusal, content_type)
    except Exception:  # noqa: BLE001 - what a client must see of our bug is what it sees of the service's
        _log.exception("a bug of the local Kinesis, answered as InternalFailure")
        return refuse(RefusedError("InternalFailure", ""), content_type)
    if answer is None:
        return HttpAnswer(200, b"", codec.content_type)
    if operation == "SubscribeToShard":
        return HttpAnswer(200, b"", eventstream.CONTENT_TYPE, EventStream(answer["EventStream"], codec))
    return HttpAnswer(200, codec.encode(answer), codec.content_type)


def operation_of(target: str) -> str:
    """The operation that the X-Amz-Target header names, known or not."""
    return target.removeprefix(_TARGET_PREFIX)


def stream_name_of(body: bytes, content_type: str) -> str:
    """The stream that a body names, for the words of a refusal; "*" where it names none."""
    with contextlib.suppress(RefusedError):
        request = _CODECS.get(content_type, _JSON).decode("DescribeStreamSummary", body)
        return str(request.get("StreamName") or request.get("StreamARN", "*").rpartition("/")[2])
    return "*"


def _operation(target: str, content_type: str) -> str:
    operation = operation_of(target)
    if content_type not in _CODECS or operation == target or operation not in OPERATIONS:
        raise unknown_operation()
    return operation


def refuse(refusal: RefusedError, content_type: str) -> HttpAnswer:
    """The answer that carries a refusal, in the encoding of its request."""
    codec = _CODECS.get(content_type, _JSON)
    document = {"__type": refusal.code}
    if refusal.message:
        document["message"] = refusal.message
    return HttpAnswer(refusal.status, codec.encode(document), codec.content_type)
