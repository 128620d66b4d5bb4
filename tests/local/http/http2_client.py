"""A minimal HTTP/2 client, whose requests can be unfinished, reset or too large."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded, StreamReset

from tests.local.raw_http import JSON

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable


class Http2Client:
    """A client with the protocol's default windows of 65,535 bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._http2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._http2.initiate_connection()
        self._happened = asyncio.Condition()
        self._is_closed = False
        #: By the number of the stream: the headers and the body that have arrived, and "whole" or "reset" as the end.
        self.responses: dict[int, dict[str, Any]] = {}
        #: The numbers of the streams that the server has reset, some of them after a whole response.
        self.resets: set[int] = set()
        #: The reason why the server ends the connection.
        self.end: ConnectionTerminated | None = None
        self._flush()

    @property
    def protocol(self) -> str | None:
        return self._writer.get_extra_info("ssl_object").selected_alpn_protocol()

    async def receive(self) -> None:
        """Receive from the server until it closes the connection."""
        while data := await self._reader.read(2**16):
            for event in self._http2.receive_data(data):
                self._take(event)
            self._flush()
            await self._wake()
        self._is_closed = True
        await self._wake()

    def begin(self, *more: tuple[str, str], operation: str = "ListStreams", authority: str = "localhost") -> int:
        """Begin a request, which is sent with what follows, and return the number of its stream."""
        number = self._http2.get_next_available_stream_id()
        pseudo = {":method": "POST", ":scheme": "http", ":authority": authority, ":path": "/"}
        target = {"x-amz-target": f"Kinesis_20131202.{operation}", "content-type": JSON}
        self._http2.send_headers(number, [*pseudo.items(), *target.items(), *more])
        return number

    async def upload(self, number: int, body: bytes) -> None:
        """Send a part of a request's body as the windows allow, until the server responds."""
        left = memoryview(body)
        while left and number not in self.responses:
            room = min(self._http2.local_flow_control_window(number), self._http2.max_outbound_frame_size)
            if room:
                self._http2.send_data(number, bytes(left[:room]))
                left = left[room:]
                self._flush()
            else:
                await self.happens(
                    lambda: number in self.responses or self._http2.local_flow_control_window(number) > 0
                )

    def finish(self, number: int) -> None:
        """End the body of a request."""
        self._http2.end_stream(number)
        self._flush()

    def give_up(self, number: int) -> None:
        """Reset a request."""
        self._http2.reset_stream(number)
        self._flush()

    async def happens(self, condition: Callable[[], object]) -> None:
        """Wait until a condition is true."""
        self._flush()
        async with self._happened:
            await self._happened.wait_for(lambda: condition() or self._is_closed)
        assert condition(), "the server has closed the connection"

    async def response(self, number: int) -> dict[str, Any]:
        """Return the response to a request when it has ended."""
        await self.happens(lambda: self.responses.get(number, {}).get("end"))
        return self.responses[number]

    async def send(self, operation: str, **members: Any) -> int:
        """Send a request, and return the number of its stream."""
        number = self.begin(operation=operation)
        await self.upload(number, json.dumps(members).encode())
        if number not in self.responses:
            self.finish(number)
        return number

    async def __call__(self, operation: str, **members: Any) -> Any:
        """Return the document of the response, or "reset" if its stream was reset."""
        response = await self.response(await self.send(operation, **members))
        return json.loads(response["body"] or b"null") if response["end"] == "whole" else response["end"]

    async def _wake(self) -> None:
        async with self._happened:
            self._happened.notify_all()

    def _flush(self) -> None:
        self._writer.write(self._http2.data_to_send())

    def _take(self, event: object) -> None:
        match event:
            case ResponseReceived():
                self.responses[event.stream_id] = {"headers": dict(event.headers), "body": b"", "end": ""}
            case DataReceived():
                self._http2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                self.responses[event.stream_id]["body"] += event.data
            case StreamEnded():
                self.responses[event.stream_id]["end"] = "whole"
            case StreamReset():
                self.resets.add(event.stream_id)
                response = self.responses.setdefault(event.stream_id, {"headers": {}, "body": b"", "end": ""})
                response["end"] = response["end"] or "reset"
            case ConnectionTerminated():
                self.end = event


@asynccontextmanager
async def http2_client(port: int, context: ssl.SSLContext | None = None) -> AsyncIterator[Http2Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    client = Http2Client(reader, writer)
    receiving = asyncio.create_task(client.receive())
    try:
        yield client
    finally:
        receiving.cancel()
        writer.close()
