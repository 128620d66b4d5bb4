"""Opening a producer: it survives what a put survives, until its own timeout, and learns later what it missed."""

import asyncio
import logging

import pytest

from tests.producer.shell import KEY, Client, on_virtual_time, request_error
from truckstream.errors import InvalidArgumentError, RecordTooLargeError, ServiceError, StreamNotFoundError
from truckstream.kinesis.failures import FailureKind
from truckstream.kinesis.responses import StreamSummary
from truckstream.producer import Producer

pytestmark = pytest.mark.filterwarnings("error")


class ScriptedClient(Client):
    """Each step of `listings` and `summaries` replaces the response to one call: an error, or "hangs"."""

    def __init__(self, *, listings=(), summaries=()):
        super().__init__()
        self.listings, self.summaries = list(listings), list(summaries)
        self.listed_at = []
        self.summarised_at = []

    async def list_shards(self):
        self.listed_at.append(asyncio.get_running_loop().time())
        return await self._step(self.listings) or self.listed

    async def summary(self):
        self.summarised_at.append(asyncio.get_running_loop().time())
        return await self._step(self.summaries) or StreamSummary(max_record_bytes=self.limit)

    async def _step(self, script):
        step = script.pop(0) if script else None
        if isinstance(step, Exception):
            raise step
        if step == "hangs":
            await asyncio.Event().wait()
        return step


def now():
    return asyncio.get_running_loop().time()


TRANSIENT = [
    request_error("LimitExceededException", FailureKind.THROTTLED),
    request_error("InternalFailure", FailureKind.AMBIGUOUS),
    request_error("ServiceUnavailable", FailureKind.AMBIGUOUS),
    request_error("ConnectionResetError", FailureKind.NOT_SENT),
    request_error("TimeoutError", FailureKind.CREDENTIALS),
    request_error("RequestExpired", FailureKind.CLOCK_SKEW),
]


@pytest.mark.parametrize("failure", TRANSIENT, ids=lambda failure: failure.code)
@on_virtual_time
async def test_opening_survives_what_a_put_survives(failure, caplog):
    client = ScriptedClient(listings=[failure] * 3)
    async with Producer(client) as producer:
        assert await (await producer.put(b"a", KEY))
        assert producer.shard_of(KEY) == "shardId-000000000000"
    assert len(client.listed_at) == 4
    assert client.listed_at[-1] < 1.0
    assert f"opening failed, and is tried again: {failure.code}" in caplog.text


@on_virtual_time
async def test_opening_waits_for_a_stream_that_is_being_created():
    """Until then ListShards does not find it."""
    missing = request_error("ResourceNotFoundException")
    client = ScriptedClient(
        listings=[missing, missing, request_error("ResourceInUseException", FailureKind.THROTTLED)],
        summaries=[StreamSummary(status="CREATING"), StreamSummary(status="CREATING")],
    )
    async with Producer(client) as producer:
        assert await (await producer.put(b"a", KEY))


@on_virtual_time
async def test_opening_raises_the_last_cause_when_its_time_is_over():
    client = ScriptedClient(listings=[request_error("InternalFailure", FailureKind.AMBIGUOUS)] * 1_000)
    with pytest.raises(ServiceError, match="InternalFailure: the service's message") as caught:
        await Producer(client).open()
    assert caught.value.retryable
    assert now() == pytest.approx(30.0, abs=0.1)
    assert client.closed
    assert len(client.listed_at) < 40


@pytest.mark.parametrize(
    ("options", "seconds"),
    [({}, 30.0), ({"delivery_timeout": 5.0}, 5.0), ({"open_timeout": 70.0}, 70.0), ({"open_timeout": 2}, 2.0)],
)
@on_virtual_time
async def test_opening_that_hangs_ends(options, seconds):
    client = ScriptedClient(listings=["hangs"])
    with pytest.raises(ServiceError, match=f"the shards could not be listed within {seconds:g} s") as caught:
        await Producer(client, **options).open()
    assert (now(), caught.value.code, caught.value.retryable) == (seconds, "TimeoutError", True)
    assert client.closed


@on_virtual_time
async def test_a_client_that_does_not_open_ends_too():
    client = ScriptedClient()
    client.open = asyncio.Event().wait
    with pytest.raises(ServiceError, match="within 30 s"):
        await Producer(client).open()


@on_virtual_time
async def test_a_hang_after_a_failure_raises_the_failure():
    client = ScriptedClient(listings=[request_error("LimitExceededException", FailureKind.THROTTLED), "hangs"])
    with pytest.raises(ServiceError, match="LimitExceededException"):
        await Producer(client, open_timeout=10.0).open()
    assert now() == 10.0


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ResourceNotFoundException", StreamNotFoundError),
        ("UnrecognizedClientException", ServiceError),
        ("SSLCertVerificationError", ServiceError),
    ],
)
@on_virtual_time
async def test_a_permanent_failure_ends_opening_at_once(code, error):
    client = ScriptedClient(listings=[request_error(code)])
    with pytest.raises(error) as caught:
        await Producer(client).open()
    assert (now(), caught.value.retryable) == (0.0, False)


@pytest.mark.parametrize("value", [0, -1, "10", True, float("nan")])
def test_an_invalid_timeout_is_rejected(value):
    with pytest.raises(InvalidArgumentError, match="open_timeout is"):
        Producer(Client(), open_timeout=value)


# --- The stream's limits --------------------------------------------------------------------------


@on_virtual_time
async def test_a_summary_that_failed_at_the_start_is_read_again():
    """Of 100 producers that start together, the service lets 20 read it."""
    throttled = request_error("LimitExceededException", FailureKind.THROTTLED)
    client = ScriptedClient(summaries=[throttled] * 3)
    client.limit = 4 << 20
    async with Producer(client) as producer:
        assert now() == 0.0
        with pytest.raises(RecordTooLargeError):
            await producer.put(bytes(2 << 20), KEY)
        await asyncio.sleep(20.0)
        await producer.put(bytes(2 << 20), KEY)
        await asyncio.sleep(200.0)
    assert len(client.summarised_at) == 4
    assert 1.0 <= client.summarised_at[1] <= 2.0


@on_virtual_time
async def test_a_summary_that_may_not_be_read_is_not_asked_for_again():
    client = ScriptedClient(summaries=[request_error("AccessDeniedException")] * 10)
    async with Producer(client):
        await asyncio.sleep(300.0)
    assert len(client.summarised_at) == 1


@on_virtual_time
async def test_a_limit_that_is_raised_while_the_producer_is_open_is_learnt():
    """A record that is too large is rejected, and makes the producer read the limit again: now and then."""
    client = ScriptedClient()
    async with Producer(client) as producer:
        await asyncio.sleep(100.0)
        assert len(client.summarised_at) == 1
        client.limit = 10 << 20
        with pytest.raises(RecordTooLargeError):
            await producer.put(bytes(2 << 20), KEY)
        await asyncio.sleep(0.1)
        assert await (await producer.put(bytes(2 << 20), KEY))
        for _ in range(50):
            with pytest.raises(RecordTooLargeError):
                producer.try_put(bytes(11 << 20), KEY)
            await asyncio.sleep(1.0)
    assert len(client.summarised_at) < 10


@on_virtual_time
async def test_a_limit_that_is_lowered_while_the_producer_is_open_is_kept():
    client = ScriptedClient(summaries=[request_error("ServiceUnavailable", FailureKind.AMBIGUOUS)])
    client.limit = 1_000
    async with Producer(client) as producer:
        await asyncio.sleep(5.0)
        with pytest.raises(RecordTooLargeError, match="the stream's limit is 1,000 bytes"):
            await producer.put(bytes(2_000), KEY)


@pytest.mark.parametrize("step", ["hangs", TypeError("a defect")], ids=["hangs", "defect"])
@on_virtual_time
async def test_reading_the_summary_again_may_hang_or_be_broken(step):
    failed = request_error("ServiceUnavailable", FailureKind.AMBIGUOUS)
    client = ScriptedClient(summaries=[failed, step])
    client.limit = 4 << 20
    logging.disable(logging.CRITICAL)
    try:
        async with Producer(client) as producer:
            await asyncio.sleep(60.0)
            await producer.put(bytes(2 << 20), KEY)
    finally:
        logging.disable(logging.NOTSET)


@on_virtual_time
async def test_a_stream_that_turns_out_to_be_on_demand_has_no_fixed_quota():
    client = ScriptedClient(
        summaries=[
            request_error("ServiceUnavailable", FailureKind.AMBIGUOUS),
            StreamSummary(on_demand=True),
        ]
    )
    async with Producer(client) as producer:
        await asyncio.sleep(5.0)
        await producer.put_many([(b"x", KEY)] * 8_000)
        await producer.flush()
        assert now() < 5.0 + 6.0
