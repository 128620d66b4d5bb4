"""A bare Kinesis endpoint for reading_client.py: it responds with the same page of records to every request.

It speaks HTTP/1.1 for GetRecords and HTTP/2 with prior knowledge for SubscribeToShard, whose events never end and come
as fast as the client takes them. Records have 498 bytes and 100 keys.

    python -m support.bare_reading RECORDS FRAME_BYTES
"""

import os
import sys

import msgspec
import uvloop
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RemoteSettingsChanged, RequestReceived, WindowUpdated
from support.bare_server import BareProtocol, serve

from truckstream.local.http.http2.http2_connection import PREFACE
from truckstream.local.protocol.event_stream import event

SEQUENCE = 49671503294478120129654712001378922376018214567898523 * 1000
RECORD_BYTES = 498


def page(count, **members):
    records = [
        {
            "SequenceNumber": str(SEQUENCE + index),
            "ApproximateArrivalTimestamp": 1_764_431_234.567 + index / 1000,
            "Data": os.urandom(RECORD_BYTES),
            "PartitionKey": f"TRUCK_{index % 100:03}",
            "EncryptionType": "KMS",
        }
        for index in range(count)
    ]
    return msgspec.json.encode({"Records": records, "MillisBehindLatest": 1_000, **members})


class BareReading(BareProtocol):
    def __init__(self, response, events, frame_bytes):
        super().__init__(latency=0)
        self._response = response
        self._events = events
        self._frame_bytes = frame_bytes
        self._http2 = None
        self._stream = None
        self._position = 0

    def buffer_updated(self, nbytes):
        data = bytes(self.received[self.size : self.size + nbytes])
        if self._http2 is None and data.startswith(PREFACE[: len(data)]):
            self._http2 = H2Connection(H2Configuration(client_side=False))
            self._http2.initiate_connection()
        if self._http2 is None:
            super().buffer_updated(nbytes)
            return
        for received in self._http2.receive_data(data):
            if isinstance(received, RequestReceived):
                self._stream = received.stream_id
                self._http2.send_headers(self._stream, [(":status", "200")])
            if self._stream and isinstance(received, RequestReceived | WindowUpdated | RemoteSettingsChanged):
                self._send_events()
        self._transport.write(self._http2.data_to_send())

    def _send_events(self):
        """Send frames as far as the windows allow."""
        largest = min(self._frame_bytes, self._http2.max_outbound_frame_size)
        while room := min(largest, self._http2.local_flow_control_window(self._stream)):
            part = self._events[self._position : self._position + room]
            self._http2.send_data(self._stream, part)
            self._position = (self._position + len(part)) % len(self._events)

    def handle_request(self, head):  # noqa: ARG002 - every request has the same response
        self.respond(self._response)


async def main(records, frame_bytes):
    body = page(int(records), NextShardIterator="A" * 200)
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: {len(body)}\r\n\r\n"
    following = page(int(records), ContinuationSequenceNumber=str(SEQUENCE))
    events = event("SubscribeToShardEvent", following, "application/x-amz-json-1.1")
    await serve(lambda: BareReading(head.encode() + body, events, int(frame_bytes)))


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
