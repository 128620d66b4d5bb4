# /// script
# requires-python = ">=3.11"
# dependencies = ["aioboto3==15.5.0", "aiobotocore==2.25.1", "aiohttp==3.14.5"]
# ///
"""A hand-written handler with aioboto3: it puts all objects of an event in parallel, with one client for all calls."""

import asyncio
import os
import uuid
from contextlib import AsyncExitStack

import aioboto3
from hand_written import encode

loop = asyncio.new_event_loop()
kept = AsyncExitStack()
clients = []


async def put(body):
    key = f"sensor_data/batch_{uuid.uuid4().hex}.json"
    await clients[0].put_object(Bucket=os.environ["BUCKET_NAME"], Key=key, Body=body)


async def store(event):
    if not clients:
        clients.append(await kept.enter_async_context(aioboto3.Session().client("s3")))
    await asyncio.gather(*map(put, encode(event)))


def lambda_handler(event, _context):
    loop.run_until_complete(store(event))
    return {"batchItemFailures": []}
