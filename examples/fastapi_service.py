"""A web service that puts the reports it receives into a stream.

    pip install ".[cli]" fastapi uvicorn
    STREAM_NAME=trucks uvicorn --app-dir examples fastapi_service:app
    curl -X POST 'http://127.0.0.1:8000/trucks/TRUCK_001/reports?wait=true' --data '{"speed": 65.4}'

The service answers 202 when a report is buffered, or with `?wait=true` 201 when Kinesis has stored it. While the buffer
is full it answers 503, and the client tries again: a service that waited would keep ever more requests in memory. At
its shutdown, uvicorn finishes the requests, and then the producer delivers what is buffered.

To try it without AWS, run `truckstream local --stream trucks` in another terminal, and paste the `export` line here.
"""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from truckstream import Producer
from truckstream.errors import BufferFullError, DeliveryError, DeliveryErrorGroup, RecordTooLargeError

#: Seconds after which a client that was refused tries again. A full shard takes a thousand records in this time.
RETRY_SECONDS = 1

log = logging.getLogger("uvicorn.error")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the producer for all requests, and deliver everything before the service ends."""
    try:
        async with Producer(
            os.environ.get("STREAM_NAME", "truck-sensor-stream"),
            buffer_bytes=int(os.environ.get("BUFFER_BYTES", "67108864")),
        ) as producer:
            app.state.producer = producer
            yield
    except DeliveryErrorGroup as failures:  # of reports that nobody waited for
        log.exception("%d reports were not delivered", failures.total)
    log.info("%r", producer)


app = FastAPI(lifespan=lifespan)


@app.post("/trucks/{truck_id}/reports")
async def put_report(truck_id: str, request: Request, *, wait: bool = False) -> JSONResponse:
    """Put the body of the request into the stream."""
    producer: Producer = request.app.state.producer
    body = await request.body()
    try:
        delivery = producer.try_put(body, truck_id)
    except BufferFullError as error:
        return refused(503, str(error))
    except RecordTooLargeError as error:
        return JSONResponse({"error": str(error)}, 413)
    if not wait:
        return JSONResponse({"status": "buffered"}, 202)
    try:
        ack = await delivery
    except DeliveryError as error:
        return refused(503, str(error), may_be_stored=error.may_be_stored)
    return JSONResponse({"status": "stored", "shard": ack.shard_id, "sequence_number": ack.sequence_number}, 201)


def refused(status: int, error: str, **details: bool) -> JSONResponse:
    """Ask the client to send the same report again."""
    return JSONResponse({"error": error, **details}, status, headers={"Retry-After": str(RETRY_SECONDS)})
