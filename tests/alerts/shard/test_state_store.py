"""The newest state of a shard counts, whoever writes what, in whatever order."""

import pytest

from tests.commands.support import AWS
from tests.moto_server import running_moto
from truckstream.alerts.shard.state_store import AlertStateStore
from truckstream.consumer.leases.lease import Checkpoint
from truckstream.errors import ConfigurationError, StoreError


@pytest.fixture(scope="module")
def moto():
    import boto3  # noqa: PLC0415 - half a second of CPU

    with running_moto() as url:
        credentials = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
        boto3.client("s3", region_name="us-east-1", endpoint_url=url, **credentials).create_bucket(Bucket="states")
        yield url


@pytest.fixture(params=["directory", "file URL", "memory", "s3"])
def states(request, tmp_path, moto, monkeypatch):
    for name, value in {**AWS, "AWS_ENDPOINT_URL_S3": moto}.items():
        monkeypatch.setenv(name, value)
    places = {
        "directory": tmp_path / "states",
        "file URL": (tmp_path / "states").as_uri(),
        "memory": "memory:///",
        "s3": f"s3://states/{tmp_path.name}",
    }
    return AlertStateStore(places[request.param])


async def test_a_shard_without_a_state_has_none(states):
    assert await states.load("trucks/shardId-0") is None


async def test_the_newest_position_counts_by_number(states):
    await states.save("trucks/shardId-0", Checkpoint("99", 5), b"old")
    await states.save("trucks/shardId-0", Checkpoint("100", 0), b"new")
    assert await states.load("trucks/shardId-0") == b"new"
    await states.save("trucks/shardId-0", Checkpoint("100", 3), b"newer")
    assert await states.load("trucks/shardId-0") == b"newer"


async def test_a_late_write_of_a_worker_that_was_paused_is_not_read(states):
    await states.save("trucks/shardId-0", Checkpoint("200"), b"new owner")
    await states.save("trucks/shardId-0", Checkpoint("150"), b"paused")
    assert await states.load("trucks/shardId-0") == b"new owner"


async def test_a_state_at_the_same_position_is_replaced(states):
    await states.save("trucks/shardId-0", Checkpoint("200"), b"before")
    await states.save("trucks/shardId-0", Checkpoint("200"), b"after")
    assert await states.load("trucks/shardId-0") == b"after"


async def test_shards_and_streams_have_states_of_their_own(states):
    for shard in ("trucks/shardId-0", "trucks/shardId-00", "vans/shardId-0"):
        await states.save(shard, Checkpoint("1"), shard.encode())
    for shard in ("trucks/shardId-0", "trucks/shardId-00", "vans/shardId-0"):
        assert await states.load(shard) == shard.encode()


async def test_old_states_are_deleted_and_other_files_are_not(tmp_path):
    states = AlertStateStore(tmp_path)
    await states.save("trucks/shardId-0", Checkpoint("1"), b"1")
    (tmp_path / "trucks" / "shardId-0" / "notes.txt").write_text("mine")
    for number in range(2, 9):
        await states.save("trucks/shardId-0", Checkpoint(str(number)), b"x")
    assert {path.name for path in (tmp_path / "trucks" / "shardId-0").iterdir()} == {"8-0", "notes.txt"}


async def test_a_place_that_fails_is_an_error_of_the_store(tmp_path):
    states = AlertStateStore(tmp_path / "states")
    (tmp_path / "states" / "trucks").write_text("a file in place of a directory")
    with pytest.raises(StoreError, match="trucks/shardId-0/1-0"):
        await states.save("trucks/shardId-0", Checkpoint("1"), b"")


@pytest.mark.parametrize("place", ["s3://", "/dev/null/states"])
def test_a_place_that_cannot_be_opened_is_named(place):
    with pytest.raises(ConfigurationError, match=r"state '.*' cannot be opened"):
        AlertStateStore(place)
