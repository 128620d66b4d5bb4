"""Sends the events of a subscription over HTTP: a response that goes on for five minutes.

The service uses HTTP/2 with the SDKs that require it (Java, JavaScript), and HTTP/1.1 with botocore. So does this
endpoint: `http2` forwards the chunks that are written here in frames.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from truckstream.local.http.server import RequestProtocol
    from truckstream.local.protocol.api_call import EventStream

__all__ = ["push_events"]

#: Pause between two looks for new records. The service documents 70 ms from a put to its delivery.
_LOOK_SECONDS: Final = 0.05


async def push_events(
    request: web.BaseRequest, events: EventStream, clock: Callable[[], float], headers: Mapping[str, str]
) -> web.StreamResponse:
    """Send `events` until they end, or the client disconnects or accepts none any more."""
    send_seconds = cast("RequestProtocol", request.protocol).send_seconds
    response = web.StreamResponse(headers=headers)
    response.enable_chunked_encoding()
    await response.prepare(request)
    try:
        while not events.is_over and request.transport is not None:
            message = events.next_message(clock())
            if message:
                async with asyncio.timeout(send_seconds):
                    await response.write(message)
            else:
                await asyncio.sleep(_LOOK_SECONDS)
        await response.write_eof()
    except ConnectionError:
        pass  # a consumer that has read enough closes its connection
    except TimeoutError:  # it neither reads nor closes it
        if request.transport is not None:
            request.transport.abort()
    return response
