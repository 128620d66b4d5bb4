"""A preview is what storing the group then does."""

import msgspec
import obstore.store
import pytest

from tests.batcher.support import Small, contents, record, small
from truckstream.batcher import Batcher
from truckstream.batcher.reading.event import read_event


@pytest.mark.parametrize("first_is_good", [True, False])
@pytest.mark.parametrize("options", [{}, {"layout": "hive", "compression": "gzip"}, {"format": "parquet"}])
async def test_it_names_the_object_and_the_rejected_records(first_is_good, options):
    store = obstore.store.MemoryStore()
    batcher = Batcher(store, schema=Small, **options)
    group = read_event([small(0, good=first_is_good), small(1), small(2, good=False)])
    preview = batcher.preview(group)
    assert contents(store) == {}
    result = await batcher.store_group(group)
    main = (result.objects if first_is_good else result.rejected_objects)[0]
    assert preview.key == main.key
    assert tuple(preview.refusals.values()) == result.refusals
    assert sorted(preview.refusals) == ([2] if first_is_good else [0, 2])


def test_the_hour_of_a_record_s_own_time():
    class Timed(msgspec.Struct):
        at: str

    batcher = Batcher(obstore.store.MemoryStore(), schema=Timed, layout="hive", event_time="at")
    group = read_event([record(b'{"at": "2025-01-15T09:00:00Z"}')])
    assert "/hour=09/batch_2025-01-15T14-30-25_" in batcher.preview(group).key
