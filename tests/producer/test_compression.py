"""Envelopes from put to acknowledgement: the core on literal times, and the shell on virtual time."""

from __future__ import annotations

import sys
from itertools import cycle, islice

import pytest

from tests.producer.shell import Client, on_virtual_time
from tests.producer.support import Service, even_shards, next_request, put, throttled
from truckstream.envelope import is_envelope, zstd_module
from truckstream.errors import ConfigurationError, InvalidArgumentError
from truckstream.fleet import Fleet
from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.kinesis.limits import SHARD_BYTES_PER_SECOND
from truckstream.producer import Producer
from truckstream.producer.core import RECORDS_COMPRESSED_PER_CALL
from truckstream.producer.queueing.buffer_budget import cost_of

ZSTD = {"aggregate": True, "compression": "zstd"}
SPACES = b" " * 200


def put_all(core, count, now=0.0):
    return [put(core, b"%d" % number + SPACES, now, f"TRUCK_{number % 7}") for number in range(count)]


# --- Attempts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["throttled", "reset"])
def test_a_retry_sends_the_same_bytes(make_core, reason):
    core, service = make_core(**ZSTD), Service(even_shards(1))
    records = put_all(core, 50)
    now, request = next_request(core, 0.0)
    [sent] = [parcel.data for parcel in request.parcels]
    assert is_envelope(sent)
    if reason == "throttled":
        core.on_responses(request, [throttled()], now)
    else:
        core.on_failure(request, RequestFailedError(FailureKind.AMBIGUOUS, "Reset", ""), now)
    now, request = next_request(core, now)
    assert [parcel.data for parcel in request.parcels] == [sent]
    core.on_responses(request, service.respond(request), now)
    assert [record.subsequence_number for record in records] == list(range(50))
    assert all(record.attempts == 2 for record in records)


def test_a_reshard_takes_waiting_envelopes_apart(make_core):
    core, service = make_core(**ZSTD), Service(even_shards(2, first=1))
    put_all(core, 50)
    now, request = next_request(core, 0.0)
    core.on_responses(request, [throttled()], now)
    core.on_shards(even_shards(2, first=1), now)
    seen = []
    while len(service.stored) < 50:
        now, request = next_request(core, now)
        seen += request.parcels
        core.on_responses(request, service.respond(request), now)
    assert len(seen) == 2
    assert len(service.read_as_kcl()) == 50, "each is in the shard that owns its key"


def test_a_rejected_envelope_is_divided_until_the_malformed_record_is_alone(make_core):
    core, service = make_core(**ZSTD), Service(even_shards(1))
    records = put_all(core, 8)
    bad, now = records[3], 0.0
    while not all(record.settled for record in records):
        now = core.next_wakeup(now) or now
        for request in core.requests_due(now):
            if any(bad in parcel.members for parcel in request.parcels):
                core.on_failure(request, RequestFailedError(FailureKind.POISONED, "ValidationException", ""), now)
            else:
                core.on_responses(request, service.respond(request), now)
    assert [record for record in records if record.error] == [bad]


# --- Memory ---------------------------------------------------------------------------------------


def test_the_bytes_of_an_envelope_are_charged_from_its_first_attempt_to_its_outcome(make_core):
    core, service = make_core(**ZSTD), Service(even_shards(1))
    records = put_all(core, 50)
    before = core.budget.used_bytes
    now, request = next_request(core, 0.0)
    [envelope] = request.parcels
    charged = core.budget.used_bytes - before
    assert len(envelope.data) <= charged < len(envelope.data) + 50
    core.on_responses(request, [throttled()], now)
    now, request = next_request(core, now)
    assert core.budget.used_bytes - before == charged
    core.on_responses(request, service.respond(request), now)
    assert core.budget.used_bytes == 0
    assert sum(record.cost for record in records) == before + charged


def test_records_that_are_packed_again_are_charged_once(make_core):
    core = make_core(**ZSTD)
    records = put_all(core, 50)
    now, request = next_request(core, 0.0)
    charged = core.budget.used_bytes
    core.on_responses(request, [throttled()], now)
    core.on_shards(even_shards(2, first=1), now)
    next_request(core, now)
    assert core.budget.used_bytes == charged == sum(record.cost for record in records)


def test_without_an_envelope_nothing_is_charged(make_core):
    core = make_core(**ZSTD)
    record = put(core, SPACES, 0.0)
    next_request(core, 0.0)
    assert core.budget.used_bytes == record.cost == cost_of(record.size)


# --- Rates ----------------------------------------------------------------------------------------


def test_a_shard_takes_fifteen_thousand_truck_records_a_second(make_core):
    """Within its quota of bytes, and each within half a second, while a response takes 30 ms."""
    core, service = make_core(**ZSTD), Service(even_shards(1))
    reports = cycle(list(islice(Fleet(trucks=5_000, rate=5_000, seed=1), 5_000)))
    records, sizes, in_flight, slowest = [], [], [], 0.0
    for tick in range(200):
        now = tick * 0.01
        records += [put(core, report.data, now, report.truck_id) for report in islice(reports, 150)]
        for sent_at, request in [each for each in in_flight if now - each[0] >= 0.03]:
            in_flight.remove((sent_at, request))
            core.on_responses(request, [service.store(parcel) for parcel in request.parcels], now)
            slowest = max(slowest, *(now - record.put_at for parcel in request.parcels for record in parcel.members))
        for request in core.requests_due(now):
            assert request.records <= RECORDS_COMPRESSED_PER_CALL
            in_flight.append((now, request))
            sizes.append(request.size)
    assert sum(record.settled for record in records) > 27_000
    assert slowest < 0.5
    assert sum(sizes) / len(records) < 60
    assert sum(sizes) < 2.0 * SHARD_BYTES_PER_SECOND


@pytest.mark.parametrize("shards", [1, 3])
def test_records_linger_for_others_until_they_fill_a_request_for_each_shard(make_core, shards):
    full = shards * 500 * RECORDS_COMPRESSED_PER_CALL
    assert_that_so_many_bytes_end_the_linger(make_core(shards, **ZSTD, linger=5.0), full)


def test_records_linger_until_they_fill_a_quarter_of_the_buffer(make_core):
    """Otherwise puts would wait for the end of the linger."""
    assert_that_so_many_bytes_end_the_linger(make_core(3, **ZSTD, linger=5.0, buffer_bytes=1 << 20), 1 << 18)


def assert_that_so_many_bytes_end_the_linger(core, full):
    core.requests_due(0.0)
    records = [put(core, SPACES, 0.0, "TRUCK_0")]
    while sum(record.cost for record in records) + records[0].cost < full:
        records.append(put(core, SPACES, 0.0, f"TRUCK_{len(records) % 10}"))
        assert len(records) % 100 or core.requests_due(1.0) == []
    assert core.requests_due(1.0) == []
    assert core.next_wakeup(1.0) == 5.0
    put(core, SPACES, 1.0, "TRUCK_0")
    assert core.requests_due(1.0)


# --- The shell ------------------------------------------------------------------------------------


@on_virtual_time
async def test_each_record_is_acknowledged_at_its_place_in_the_envelope():
    client = Client()
    async with Producer(client, **ZSTD) as producer:
        together = [await producer.put(SPACES + b"%d" % number, "TRUCK_001") for number in range(20)]
        acks = [await delivery for delivery in together]
        alone = await (await producer.put(SPACES, "TRUCK_001"))
    assert [ack.subsequence_number for ack in acks] == list(range(20))
    assert {ack.sequence_number for ack in acks} == {acks[0].sequence_number}
    assert alone.subsequence_number is None
    assert len(client.service.stored) == 21


@on_virtual_time
async def test_records_of_an_aggregate_are_acknowledged_at_their_place_too():
    async with Producer(Client(), aggregate=True) as producer:
        deliveries = [await producer.put(b"x", "TRUCK_001") for _ in range(3)]
        assert [(await delivery).subsequence_number for delivery in deliveries] == [0, 1, 2]
    async with Producer(Client()) as producer:
        assert (await (await producer.put(b"x", "TRUCK_001"))).subsequence_number is None


@pytest.mark.parametrize("value", ["gzip", "ZSTD", "", b"zstd", True, 1, ["zstd"]])
def test_another_compression_is_rejected(value):
    with pytest.raises(InvalidArgumentError, match=r"^compression is .*: must be None or 'zstd'"):
        Producer(Client(), aggregate=True, compression=value)


def test_compression_without_aggregation_is_rejected():
    with pytest.raises(InvalidArgumentError, match=r"^compression is 'zstd': needs aggregate=True"):
        Producer(Client(), compression="zstd")


def test_a_missing_package_is_reported_at_once(monkeypatch):
    zstd_module.load_zstd.cache_clear()
    for name in ("backports", "backports.zstd", "compression", "compression.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    try:
        with pytest.raises(ConfigurationError, match="Install backports-zstd"):
            Producer(Client(), **ZSTD)
        Producer(Client(), aggregate=True)
    finally:
        zstd_module.load_zstd.cache_clear()
