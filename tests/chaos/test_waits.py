"""A producer behind a network, a proxy or credentials that keep it waiting: every outcome comes, and is true.

A wait without an end fails these tests by pytest's timeout.
"""

import asyncio
import random

import pytest
from aiobotocore.session import get_session

from tests.chaos.network import Proxy, slow_uplink
from tests.chaos.support import MODES, ProducerHistory
from truckstream.errors import DeliveryErrorGroup, DeliveryTimeoutError, ServiceError
from truckstream.kinesis import signed_calls
from truckstream.local import LocalKinesis
from truckstream.producer import Producer

pytestmark = [pytest.mark.usefixtures("fake_credentials"), pytest.mark.timeout(300)]

#: Ordered sending holds keys back, and aggregates are taken apart when some of their records expire, as envelopes are.
SLOW_MODES = [mode for mode in MODES if mode != "plain" and "envelope" not in mode]


@pytest.fixture
async def proxied(seed, monkeypatch):
    """A local Kinesis behind HTTPS, and the faulty proxy to it."""
    async with LocalKinesis(shards=2, quotas=False, tls=True, own_process=True) as kinesis, Proxy(seed) as proxy:
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("AWS_CA_BUNDLE", kinesis.ca_file)
        yield kinesis, proxy


@pytest.mark.parametrize("mode", ["plain", *(pytest.param(mode, marks=pytest.mark.slow) for mode in SLOW_MODES)])
async def test_a_proxy_that_goes_silent_at_random(proxied, mode, seed):
    """Its connections never come about, go silent or are reset; the records arrive over others."""
    kinesis, proxy = proxied
    records = 5 if "aggregate" in mode else 50  # many small requests, for many connections
    history = ProducerHistory(kinesis, seed, mode, request_timeout=0.5, open_timeout=60.0, max_batch_records=records)
    await history.run(3_000)
    await history.check()
    assert history.stats.failed == 0
    assert proxy.fates.total() > proxy.fates["lasts"], "the history is too short for its faults"


@pytest.mark.parametrize("mode", ["plain", *(pytest.param(mode, marks=pytest.mark.slow) for mode in SLOW_MODES)])
async def test_a_proxy_that_goes_silent_for_good(proxied, mode, seed):
    """Each record gets its outcome by its deadline, with the truth; so does the program that closes the producer."""
    kinesis, proxy = proxied
    options = {"request_timeout": 0.5, "open_timeout": 60.0, "delivery_timeout": 3.0}
    history = ProducerHistory(kinesis, seed, mode, **options)

    async def go_silent():
        proxy.is_silent = True

    with pytest.raises(DeliveryErrorGroup):
        await history.run(3_000, halfway=go_silent)
    await history.check()
    failed = [delivery.error for delivery in history.deliveries if delivery.error]
    assert {type(error) for error in failed} == {DeliveryTimeoutError}
    # Those that were put into silence are known not to have left, unless an older connection took them.
    assert not all(error.may_be_stored for error in failed)
    assert all(error.__cause__ is not None for error in failed if error.attempts)


async def test_opening_through_a_silent_proxy_ends(proxied):
    kinesis, proxy = proxied
    proxy.is_silent = True
    producer = Producer(
        kinesis.stream_name,
        region_name=kinesis.region_name,
        endpoint_url=kinesis.endpoint_url,
        request_timeout=0.3,
        open_timeout=2.0,
    )
    with pytest.raises(ServiceError) as caught:
        await producer.open()
    assert caught.value.retryable


class HangingCredentials:
    """Credentials that never come, at random."""

    def __init__(self, seed, rate):
        self._dice = random.Random(f"credentials/{seed}")
        self._rate = rate
        self.hung = 0
        self.session = get_session()
        self.session.set_credentials("testing", "testing")
        self._working = self.session.get_credentials
        self.session.get_credentials = self._get

    async def _get(self):
        if self._dice.random() < self._rate:
            self.hung += 1
            await asyncio.Event().wait()
        return await self._working()


@pytest.mark.parametrize("mode", ["plain", *(pytest.param(mode, marks=pytest.mark.slow) for mode in SLOW_MODES)])
async def test_credentials_that_hang_at_random(mode, seed, monkeypatch):
    """Nothing is sent without credentials, so nothing can be stored twice."""
    monkeypatch.setattr(signed_calls, "CREDENTIALS_SECONDS", 0.2)
    credentials = HangingCredentials(seed, rate=0.2)
    async with LocalKinesis(shards=2, quotas=False, own_process=True) as kinesis:
        history = ProducerHistory(
            kinesis, seed, mode, session=credentials.session, request_timeout=0.2, max_batch_records=50
        )
        await history.run(3_000)
        await history.check()
    assert credentials.hung
    assert (history.stats.failed, history.stats.maybe_duplicates) == (0, 0)


async def test_credentials_that_hang_for_good(seed, monkeypatch):
    monkeypatch.setattr(signed_calls, "CREDENTIALS_SECONDS", 0.5)
    credentials = HangingCredentials(seed, rate=0.0)
    async with LocalKinesis(shards=2, quotas=False, own_process=True) as kinesis:
        options = {"session": credentials.session, "delivery_timeout": 2.0, "request_timeout": 0.5}
        history = ProducerHistory(kinesis, seed, **options)

        async def hang():
            credentials._rate = 1.0

        with pytest.raises(DeliveryErrorGroup):
            await history.run(2_000, halfway=hang)
        await history.check()
    assert history.stats.failed
    assert not any(delivery.error and delivery.error.may_be_stored for delivery in history.deliveries)


async def over_a_slow_uplink(seed, mode, **options):
    """The history of 300 records over an uplink that takes a little all the time; it is checked."""
    async with LocalKinesis(shards=2, quotas=False, own_process=True) as kinesis:
        port = int(kinesis.endpoint_url.rpartition(":")[2])
        async with slow_uplink(port, bytes_per_second=20_000) as url:
            history = ProducerHistory(
                kinesis, seed, mode, keys=40, endpoint_url=url, delivery_timeout=4.0, buffer_bytes=64 << 20, **options
            )
            with pytest.raises(DeliveryErrorGroup):
                await history.run(300)
        await history.check()
    return history


@pytest.mark.parametrize("mode", ["plain", *(pytest.param(mode, marks=pytest.mark.slow) for mode in SLOW_MODES)])
async def test_a_slow_uplink(mode, seed):
    """Some requests arrive in time. The records of the others fail at their deadlines."""
    history = await over_a_slow_uplink(
        seed, mode, padding=5_000, max_batch_records=2 if "aggregate" in mode else 4, aggregate_bytes=11_000
    )
    assert history.stats.acked
    assert history.stats.failed


async def test_a_slow_uplink_and_a_large_request(seed):
    """The kernel never takes its last byte, so none of its records can be stored."""
    history = await over_a_slow_uplink(seed, "plain", padding=20_000, request_timeout=10.0)
    assert history.stats.failed
    assert not all(delivery.error.may_be_stored for delivery in history.deliveries)
