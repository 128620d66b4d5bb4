"""The states of shards: their names, their stores, and which of them exist when."""

import boto3
import obstore.store
import pytest

from tests.consumer.support import HeldShard
from tests.moto_server import running_moto
from tests.windows.support import SHARD, T0, record, taken, windows_of
from truckstream.consumer import Checkpoint
from truckstream.errors import ConfigurationError, StoreError, WindowStateError
from truckstream.windows import ObjectStateStore
from truckstream.windows.running.shard_states import ShardStates
from truckstream.windows.state.names import END, StateNames, covers

NAMES = StateNames("speeds", "trucks", SHARD)
HALF = 2**127
LOW, HIGH = (0, HALF - 1), (HALF, 2**128 - 1)


def test_a_name_has_application_stream_shard_and_checkpoint():
    assert NAMES.state(Checkpoint("495", 3)) == f"speeds/trucks/{SHARD}/495-3.state"
    assert NAMES.state(END) == f"speeds/trucks/{SHARD}/SHARD_END.state"


def test_an_application_with_slashes_stays_in_its_folder():
    assert StateNames("a/../b", "trucks", SHARD).folder == f"a%2F..%2Fb/trucks/{SHARD}"


def test_older_states_are_those_of_smaller_numbers():
    """As integers: "99" sorts after "100" as a text."""
    names = [NAMES.state(Checkpoint(*each)) for each in (("99", 0), ("100", 1), ("100", 2), ("101", 0))]
    others = [NAMES.state(END), NAMES.inherited_by(LOW), "speeds/trucks/other/1-0.state", f"{NAMES.folder}/notes"]
    assert NAMES.older([*names, *others], Checkpoint("100", 2)) == names[:2]
    assert NAMES.older(names, END) == names


@pytest.mark.parametrize(
    ("ranges", "parent", "is_covered"),
    [
        ([LOW], None, False),
        ([LOW, HIGH], None, True),
        ([HIGH], HIGH, True),
        ([None], LOW, True),
        ([HIGH], (0, 2**128 - 1), False),
        ([], LOW, False),
        ([(0, 5), (7, 10)], (0, 10), False),
        ([(0, 5), (3, 10)], (0, 10), True),
    ],
)
def test_the_children_cover_a_parent_when_no_hash_key_is_left(ranges, parent, is_covered):
    assert covers([NAMES.inherited_by(each) for each in ranges], parent) is is_covered


@pytest.fixture(params=["directory", "memory", "s3"])
def store(request, tmp_path, monkeypatch):
    if request.param == "directory":
        yield ObjectStateStore(str(tmp_path / "states"))
    elif request.param == "memory":
        yield ObjectStateStore(obstore.store.MemoryStore())
    else:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        with running_moto() as url:
            boto3.client("s3", region_name="us-east-1", endpoint_url=url).create_bucket(Bucket="states")
            yield ObjectStateStore("s3://states/windows", region_name="us-east-1", endpoint_url=url)


async def test_a_store_keeps_replaces_lists_and_deletes(store):
    assert await store.load("a/b/1.state") is None
    assert await store.names("a/b") == []
    await store.save("a/b/1.state", b"one")
    await store.save("a/b/1.state", b"two")
    await store.save("a/b/inherited/0-1", b"")
    await store.save("a/c/3.state", b"three")
    assert await store.load("a/b/1.state") == b"two"
    assert sorted(await store.names("a/b")) == ["a/b/1.state", "a/b/inherited/0-1"]
    await store.delete(["a/b/1.state", "a/b/inherited/0-1", "a/b/never.state"])
    assert await store.names("a/b") == []
    assert await store.load("a/c/3.state") == b"three"


async def test_a_path_is_a_directory_that_is_created(tmp_path):
    store = ObjectStateStore(tmp_path / "new" / "states")
    await store.save("x/1.state", b"one")
    assert (tmp_path / "new" / "states" / "x" / "1.state").read_bytes() == b"one"


@pytest.mark.usefixtures("fake_credentials")
async def test_a_store_that_cannot_be_reached_is_an_error():
    store = ObjectStateStore("s3://states", region_name="us-east-1", endpoint_url="http://127.0.0.1:1")
    store._store._retry_policy = store._store._conflict_policy = type(store._store._retry_policy)(attempts=1)
    with pytest.raises(StoreError):
        await store.save("x", b"")


def test_a_store_that_is_none_is_refused():
    with pytest.raises(ConfigurationError):
        ObjectStateStore("s3://")


class Shard(HeldShard):
    def __init__(self, shard_id=SHARD, start="TRIM_HORIZON", parents=(), hash_range=None):
        super().__init__(shard_id)
        self.start = Checkpoint(start)
        self.parent_ids = parents
        self.hash_range = hash_range


def states_of(shard, store):
    return ShardStates(shard, store, StateNames("speeds", "trucks", shard.shard_id))


def snapshot(*records):
    windows = windows_of()
    windows.add(records, T0)
    windows.take_results(T0)
    return windows.snapshot()


@pytest.fixture
def memory():
    return ObjectStateStore(obstore.store.MemoryStore())


async def test_a_shard_goes_on_with_the_state_of_its_checkpoint(memory):
    await states_of(Shard(), memory).save(Checkpoint("7"), snapshot(record(1)))
    windows = windows_of()
    await states_of(Shard(start="7"), memory).restore(windows, T0)
    windows.add([record(2), record(20)], T0)
    assert taken(windows) == [("a", 0, 10, 2, 2, 1)]


async def test_a_checkpoint_without_its_state_is_refused(memory):
    """It may be that of a program without windows. Beginning with empty windows would report wrong figures."""
    await states_of(Shard(), memory).save(Checkpoint("7"), snapshot(record(1)))
    with pytest.raises(WindowStateError, match=r"8-0\.state does not exist"):
        await states_of(Shard(start="8"), memory).restore(windows_of(), T0)


async def test_a_child_without_the_state_of_a_parent_that_was_read_is_refused(memory):
    with pytest.raises(WindowStateError, match=r"parent/SHARD_END\.state does not exist"):
        await states_of(Shard(parents=("parent",)), memory).restore(windows_of(), T0)


async def test_a_damaged_state_of_a_parent_is_refused(memory):
    await memory.save(NAMES.of_parent("parent").state(END), b"damaged")
    with pytest.raises(WindowStateError, match="its bytes are no state"):
        await states_of(Shard(parents=("parent",)), memory).restore(windows_of(), T0)


async def test_older_states_are_deleted_after_the_checkpoint_also_those_of_earlier_owners(memory):
    await memory.save(NAMES.state(Checkpoint("1")), snapshot())
    states = states_of(Shard(), memory)
    await states.save(Checkpoint("5"), snapshot())
    await states.save(Checkpoint("9"), snapshot())
    assert len(await memory.names(NAMES.folder)) == 3
    await states.clean_up()
    assert await memory.names(NAMES.folder) == [NAMES.state(Checkpoint("9"))]


async def test_the_last_child_deletes_the_state_of_the_parent(memory):
    parent = NAMES.of_parent("parent")
    whole = windows_of()
    whole.take_results(T0)
    await states_of(Shard("parent"), memory).save_end(whole.snapshot())
    for child, owned, left in (("low", LOW, True), ("high", HIGH, False)):
        states = states_of(Shard(child, parents=("parent",), hash_range=owned), memory)
        await states.restore(windows_of(), T0)
        await states.save(Checkpoint("3"), snapshot())
        await states.clean_up()
        assert bool(await memory.names(parent.folder)) is left


async def test_a_child_that_ends_without_a_checkpoint_releases_its_parent_too(memory):
    await states_of(Shard("parent"), memory).save_end(snapshot(record(1)))
    states = states_of(Shard("child", parents=("parent",)), memory)
    windows = windows_of(part="child")
    await states.restore(windows, T0)
    windows.take_results(T0)
    await states.save_end(windows.snapshot())
    assert await memory.names(NAMES.of_parent("parent").folder) == []
    assert len(await memory.names(NAMES.of_parent("child").folder)) == 1
