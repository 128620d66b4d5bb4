"""Items of DynamoDB as the KCL writes them."""

import pytest

from truckstream.consumer.leases.lease import Checkpoint, Lease, PendingCheckpoint
from truckstream.consumer.tables.lease_item import is_lease, item_of, lease_of
from truckstream.errors import LeaseTableError

#: One lease in both forms.
ITEM = {
    "leaseKey": {"S": "shardId-000000000002"},
    "leaseOwner": {"S": "worker-1"},
    "leaseCounter": {"N": "41"},
    "checkpoint": {"S": "49"},
    "checkpointSubSequenceNumber": {"N": "3"},
    "ownerSwitchesSinceCheckpoint": {"N": "2"},
    "parentShardId": {"SS": ["shardId-000000000000", "shardId-000000000001"]},
    "childShardIds": {"SS": ["shardId-000000000003"]},
    "startingHashKey": {"S": "0"},
    "endingHashKey": {"S": "340282366920938463463374607431768211455"},
    "pendingCheckpoint": {"S": "50"},
    "pendingCheckpointSubSequenceNumber": {"N": "0"},
    "pendingCheckpointState": {"B": b"700"},
    "checkpointOwner": {"S": "worker-0"},
}
LEASE = Lease(
    key="shardId-000000000002",
    shard_id="shardId-000000000002",
    owner="worker-1",
    counter=41,
    checkpoint=Checkpoint("49", 3),
    owner_switches=2,
    parent_ids=("shardId-000000000000", "shardId-000000000001"),
    child_ids=("shardId-000000000003",),
    hash_range=(0, 2**128 - 1),
    pending=PendingCheckpoint(Checkpoint("50"), b"700"),
    checkpoint_owner="worker-0",
)


def test_a_lease_is_written_with_the_names_and_types_of_the_kcl():
    assert item_of(LEASE) == ITEM


def test_an_item_is_read_whatever_else_it_has():
    assert lease_of(ITEM | {"throughputKBps": {"N": "12.5"}, "entityType": {"S": "LEASE"}}) == LEASE


def test_a_new_lease_has_only_the_attributes_that_it_must_have():
    lease = Lease(key="s", shard_id="s", checkpoint=Checkpoint("LATEST"))
    assert item_of(lease) == {
        "leaseKey": {"S": "s"},
        "leaseCounter": {"N": "0"},
        "checkpoint": {"S": "LATEST"},
        "checkpointSubSequenceNumber": {"N": "0"},
        "ownerSwitchesSinceCheckpoint": {"N": "0"},
    }
    assert lease_of(item_of(lease)) == lease


def test_an_application_of_several_streams_writes_stream_and_shard():
    stream = "111122223333:trucks:1700000000"
    lease = Lease(key=f"{stream}:s", shard_id="s", stream=stream, checkpoint=Checkpoint("LATEST"))
    assert item_of(lease)["streamName"] == {"S": stream}
    assert item_of(lease)["shardId"] == {"S": "s"}
    assert lease_of(item_of(lease)) == lease


def test_a_pending_checkpoint_may_have_no_state():
    item = {name: value for name, value in ITEM.items() if name != "pendingCheckpointState"}
    assert lease_of(item).pending == PendingCheckpoint(Checkpoint("50"))
    assert item_of(lease_of(item)) == item


def test_items_of_old_versions_are_read():
    """Version 1 of the KCL wrote one parent as a string, and no hash range."""
    item = {"leaseKey": {"S": "s"}, "leaseCounter": {"N": "1"}, "checkpoint": {"S": "9"}, "parentShardId": {"S": "p"}}
    assert lease_of(item) == Lease(key="s", shard_id="s", counter=1, checkpoint=Checkpoint("9"), parent_ids=("p",))


@pytest.mark.parametrize("kind", ["STREAM", "LEADER", "WORKER_METRIC_STATS", "TABLE_MIGRATION"])
def test_other_entities_of_the_kcl_are_no_leases(kind):
    assert not is_lease({"leaseKey": {"S": "x"}, "entityType": {"S": kind}})
    assert is_lease(ITEM)
    assert is_lease(ITEM | {"entityType": {"S": "LEASE"}})


@pytest.mark.parametrize("name", ["checkpoint", "leaseCounter", "leaseKey"])
def test_an_item_that_is_no_lease_is_reported(name):
    with pytest.raises(LeaseTableError, match="Use a table that holds nothing but leases"):
        lease_of({key: value for key, value in ITEM.items() if key != name})
