"""Pages in, batches out."""

from hypothesis import given
from hypothesis import strategies as st

from tests.consumer.reading.support import plain
from truckstream.consumer.reading.shard_buffer import RecordBatch, ShardBuffer


def test_a_page_is_a_batch():
    buffer, records = ShardBuffer(), [plain(1), plain(2)]
    buffer.add(RecordBatch(records, 300, 7))
    batch = buffer.next_batch()
    assert batch == RecordBatch(records, 300, 7)
    assert batch.records is records, "it is not copied"
    assert buffer.next_batch() is None


def test_a_page_is_cut_into_batches_that_share_its_bytes():
    buffer = ShardBuffer()
    buffer.add(RecordBatch([plain(1), plain(2), plain(3)], 100, 7))
    buffer.add(RecordBatch([plain(4)], 50, 0))
    assert [buffer.next_batch(2) for _ in range(4)] == [
        RecordBatch([plain(1), plain(2)], 66, 7),
        RecordBatch([plain(3)], 34, 7),
        RecordBatch([plain(4)], 50, 0),
        None,
    ]


def test_a_page_without_records_only_tells_how_far_behind_the_reader_is():
    buffer = ShardBuffer()
    assert buffer.millis_behind is None
    buffer.add(RecordBatch([], 0, 1_500))
    assert (buffer.millis_behind, len(buffer), buffer.next_batch()) == (1_500, 0, None)


def test_cleared_bytes_are_returned():
    buffer = ShardBuffer()
    buffer.add(RecordBatch([plain(1), plain(2)], 100, 0))
    buffer.add(RecordBatch([plain(3)], 40, 0))
    buffer.next_batch(1)
    assert buffer.clear() == 90
    assert (len(buffer), buffer.size, buffer.next_batch()) == (0, 0, None)
    buffer.add(RecordBatch([plain(4)], 10, 0))
    assert buffer.next_batch() == RecordBatch([plain(4)], 10, 0)


def test_the_repr_counts_records_pages_and_bytes():
    buffer = ShardBuffer()
    buffer.add(RecordBatch([plain(1)] * 2_000, 1_234_567, 0))
    assert repr(buffer) == "<ShardBuffer of 2,000 records in 1 pages, 1,234,567 bytes>"


@given(
    pages=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 1_000)), max_size=8),
    limits=st.lists(st.one_of(st.none(), st.integers(1, 5)), max_size=100),
)
def test_batches_are_the_pages_in_order_and_their_bytes_add_up(pages, limits):
    buffer, records = ShardBuffer(), []
    for count, size in pages:
        page = [plain(len(records) + index) for index in range(count)]
        records += page
        buffer.add(RecordBatch(page, size, 0))
    total = buffer.size
    assert total == sum(size for count, size in pages if count)
    delivered, released = [], 0
    for limit in [*limits, *[None] * len(pages)]:
        batch = buffer.next_batch(limit)
        if batch is not None:
            assert 1 <= len(batch.records) <= (limit or 9)
            delivered += batch.records
            released += batch.size
        assert (len(buffer), buffer.size) == (len(records) - len(delivered), total - released)
    assert delivered == records
    assert released == total
