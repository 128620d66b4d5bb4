"""The limit of a call, and what it reserves."""

import random

import pytest

from tests.consumer.reading.support import page, plain
from truckstream.consumer.reading.pacing.page_estimate import LARGE_PAGE, LEAST_WANTED, MOST_WANTED, PageEstimate
from truckstream.consumer.reading.pacing.read_pacer import PAGE_BYTES


def after(records, data, response, *, pages=20):
    """An estimate after pages whose records have so many bytes of data and of response."""
    estimate = PageEstimate()
    for _ in range(pages):
        estimate.on_page(records, records * data, records * response)
    return estimate


def test_at_first_a_mib_is_reserved_and_records_of_a_kib_are_expected():
    estimate = PageEstimate()
    assert estimate.wanted() == 1 << 20
    assert estimate.limit(1 << 20) == 512


@pytest.mark.parametrize("data", [100, 498, 5_000])
def test_a_page_has_about_the_bytes_that_the_quota_allows(data):
    estimate = after(500, data, data + 10)
    assert PAGE_BYTES - data <= estimate.limit(64 << 20) * data <= PAGE_BYTES


def test_a_page_has_no_more_than_was_reserved():
    assert after(500, 498, 900).limit(90_050) == 100


def test_at_least_one_record_is_asked_for_and_at_most_as_many_as_the_service_allows():
    assert after(1, 5 << 20, 7 << 20).limit(1_000) == 1
    assert after(9_000, 1, 20).limit(64 << 20) == 10_000


def test_quiet_shards_reserve_less_and_large_records_more():
    assert after(1, 100, 300).wanted() == LEAST_WANTED
    assert after(300, 498, 900).wanted() == 2 * 300 * 900
    assert after(1_000, 498, 900).wanted() == MOST_WANTED
    assert after(1, 5 << 20, 7 << 20).wanted() == pytest.approx(7 << 20, rel=0.01)


def test_one_empty_page_between_large_ones_changes_little():
    estimate = after(1_000, 498, 900)
    estimate.on_page(0, 0, 0)
    assert estimate.wanted() == 900_000


def test_after_a_pause_a_burst_of_250_ms_fits_one_page():
    """A shard takes 1,000 records a second."""
    estimate = after(300, 498, 900)
    for _ in range(100):
        estimate.on_page(0, 0, 0)
    assert estimate.limit(estimate.wanted()) >= 250


def test_the_estimate_follows_the_sizes():
    estimate = after(500, 100, 300)
    for _ in range(10):
        estimate.on_page(10, 10 * 50_000, 10 * 67_000)
    assert estimate.limit(64 << 20) == 10


# --- The data of a page -----------------------------------------------------------------------------


def page_of(sizes):
    """A page, its size as in JSON with base64, and its bytes of data with the keys of 9 bytes."""
    records = [plain(number, bytes(size)) for number, size in enumerate(sizes)]
    return page(records, size=sum(180 + -(-size // 3) * 4 for size in sizes)), sum(size + 9 for size in sizes)


@pytest.mark.parametrize("longest", [10, 1_000, 100_000])
@pytest.mark.parametrize("count", [1, LARGE_PAGE - 1, LARGE_PAGE, 500])
def test_the_data_of_a_page_is_known_although_few_pages_are_summed_up(count, longest):
    chance = random.Random(count)
    estimate = PageEstimate()
    for number in range(40):
        found, data = page_of([chance.randint(0, longest if number % 2 else 10) for _ in range(count)])
        assert estimate.data_of(found) == pytest.approx(data, abs=count)


def test_the_data_of_a_small_page_is_exact():
    estimate = PageEstimate()
    for size in (5, 5_000):
        found, data = page_of([size] * (LARGE_PAGE - 1))
        assert estimate.data_of(found) == data


def test_the_data_of_a_page_follows_when_the_keys_grow():
    """The keys are part of what a record takes besides its base64; so they are taken for shorter than they are."""
    estimate = PageEstimate()
    found, _ = page_of([100] * 100)
    estimate.data_of(found)
    for record in found.records:
        record.partition_key = "k" * 209
    found.size += 200 * 100
    guesses = [estimate.data_of(found) for _ in range(32)]
    assert guesses[0] == pytest.approx((109 + 150) * 100, abs=1)
    assert guesses[-1] == (100 + 209) * 100
