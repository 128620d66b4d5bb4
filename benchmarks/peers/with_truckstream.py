"""truckstream's Producer, with every record put and acknowledged.

Forms: plain, put_many, ordered, aggregated, both of these, client; for by_shards.py also defaults, few, idle. Pacing is
off where the stream has no quota, except in the last three, which set no option. The form `client` is
`KinesisClient.put_records` with finished batches: it does the same work as aiobotocore's put_records. `put_many` passes
the same batches to the producer, and the others put one record at a time. `few` puts ten records a second, and `idle`
none while an observer gets the statistics each second.
"""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass

from harness import KEYS, batches, compete, in_parallel

from truckstream.kinesis.client import KinesisClient
from truckstream.kinesis.encoding import encode_tail
from truckstream.producer import Producer, ProducerObserver

OPTIONS = {
    "plain": {"pacing": False},
    "put_many": {"pacing": False},
    "ordered": {"pacing": False, "ordered": True},
    "aggregated": {"pacing": False, "aggregate": True},
    "ordered aggregated": {"pacing": False, "ordered": True, "aggregate": True},
    "defaults": {},
    "few": {},
    "idle": {"observer": ProducerObserver()},
}
#: Between two records of the form `few`.
PAUSE_SECONDS = 0.1


@dataclass(slots=True)
class EncodedRecord:
    data: bytes
    tail: bytes


@asynccontextmanager
async def open_client(job):
    client = KinesisClient(job.stream, endpoint_url=job.endpoint_url, connections=job.connections)
    await client.open()
    tails = {key: encode_tail(key) for key in KEYS}

    async def send_batch(batch):
        responses = await client.put_records([EncodedRecord(data, tails[key]) for data, key in batch])
        assert len(responses) == len(batch)

    yield lambda batch: in_parallel(send_batch, batch, job)
    await client.close()


@asynccontextmanager
async def open_producer(job):
    options = OPTIONS[job.form] | ({"pacing": True} if job.records else {})
    async with Producer(
        job.stream,
        endpoint_url=job.endpoint_url,
        max_in_flight=job.connections,
        max_batch_records=job.batch,
        **options,
    ) as producer:

        async def put_each(batch):
            put = producer.put
            for data, key in batch:
                await put(data, key)

        async def put_batches(batch):
            for some in batches(batch, job.batch):
                await producer.put_many(some)

        async def send(batch):
            before = producer.stats.acked
            await (put_batches if job.form == "put_many" else put_each)(batch)
            await producer.flush()
            assert producer.stats.acked - before == len(batch)

        async def send_few(batch):
            for data, key in batch:
                if job.form == "few":
                    await producer.put(data, key)
                await asyncio.sleep(PAUSE_SECONDS)
            await producer.flush()

        yield send_few if job.form in {"few", "idle"} else send


@asynccontextmanager
async def open_sender(job):
    async with open_client(job) if job.form == "client" else open_producer(job) as send:
        yield send


if __name__ == "__main__":
    compete(open_sender, ["truckstream", "aiohttp", "aiobotocore"])
