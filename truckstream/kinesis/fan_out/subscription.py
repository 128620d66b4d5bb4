"""A subscription to one shard: SubscribeToShard, and the pages of its event stream.

The service sends an event whenever it has records, and about every five seconds when it has none (not documented;
the KCL, too, takes a longer silence for a dead connection). A subscription ends after five minutes, and the reader goes
on with another one after the last page's `continuation`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from truckstream.kinesis.attempt import Attempt
from truckstream.kinesis.failures import RequestFailedError, kind_of_error
from truckstream.kinesis.fan_out.event_stream import EventStreamReader
from truckstream.kinesis.outgoing_body import OutgoingBody
from truckstream.kinesis.reading.records_page import parse_records_page
from truckstream.kinesis.reading.requests import starting_position
from truckstream.kinesis.responses import malformed_response, parse_error

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from truckstream.kinesis.fan_out.event_stream import Message
    from truckstream.kinesis.fan_out.http2_connection import Http2Stream
    from truckstream.kinesis.reading.position import Position
    from truckstream.kinesis.reading.shard_record import RecordsPage
    from truckstream.kinesis.session.request_template import RequestTemplate
    from truckstream.kinesis.session.session_endpoint import SessionEndpoint
    from truckstream.kinesis.signed_calls import SignedCalls

__all__ = ["page_of", "subscribe"]

#: Seconds without a byte, while the reader waits, after which a subscription fails: six events are missing.
SILENCE_SECONDS: Final = 30.0

_BAD_REQUEST: Final = 400


async def subscribe(
    calls: SignedCalls, endpoint: SessionEndpoint, consumer_arn: str, shard_id: str, position: Position
) -> AsyncGenerator[RecordsPage, None]:
    """Yield the pages of one subscription. See `KinesisClient.subscribe`."""
    names = {"ConsumerARN": consumer_arn, "ShardId": shard_id, "StartingPosition": starting_position(position)}
    body = msgspec.json.encode(names)

    async def send(template: RequestTemplate, signature: Mapping[str, str]) -> Http2Stream:
        pool = await endpoint.http2_pool(template)
        return await pool.request(template, signature, body)

    stream = await calls.exchange("SubscribeToShard", names, OutgoingBody(lambda: body), send, Attempt())
    try:
        reader = EventStreamReader()
        while data := await stream.read(SILENCE_SECONDS):
            for message in reader.feed(data):
                page = page_of(message, shard_id)
                if page is not None:
                    yield page
        reader.finish()
    finally:
        stream.close()


def page_of(message: Message, shard_id: str) -> RecordsPage | None:
    """Return the page in a message, or None if it has none.

    Raises:
        RequestFailedError: the message is the error that ends the subscription.
    """
    kind = message.headers.get(":message-type")
    if kind == "event":
        is_page = message.headers.get(":event-type") == "SubscribeToShardEvent"
        return parse_records_page(message.payload, shard_id) if is_page else None  # or it is the initial response
    if kind == "exception":
        raise parse_error(_BAD_REQUEST, message.headers.get(":exception-type"), message.payload)
    if kind == "error":
        code, text = message.headers.get(":error-code", "error"), message.headers.get(":error-message", "")
        raise RequestFailedError(kind_of_error(code, text, 500), code, text)
    raise malformed_response(f"a message has the type {kind!r}", message.payload)
