"""Workers of the Kinesis Client Library (KCL) and of the Consumer take turns on one lease table in DynamoDB.

Turns end with a checkpoint inside an aggregate, so that the next worker has to begin there. Between the turns a shard
is split and its children are merged. The DynamoDB is ministack's, because moto's lets two workers win a write.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
from typing import Final

import boto3
import pytest
from botocore.config import Config

from tests.cloud.conftest import ministack_program, running  # noqa: F401 - a fixture
from tests.external_clients.installation import CannotInstallError, or_skipped
from tests.external_clients.lease_interchange.histories import HIGH, LOW, MERGED, OF_OTHERS, ONE, ZERO, Histories
from tests.external_clients.lease_interchange.versions import VERSIONS, java_of
from tests.external_clients.lease_interchange.workers import KINDS, Workers

#: The first two workers of a history.
ORDERS: Final = (KINDS, KINDS[::-1])
#: Attributes of a lease with their types in DynamoDB.
TYPES: Final = {
    "checkpoint": "S",
    "checkpointSubSequenceNumber": "N",
    "childShardIds": "SS",
    "endingHashKey": "S",
    "entityType": "S",
    "leaseCounter": "N",
    "leaseKey": "S",
    "leaseOwner": "S",
    "ownerSwitchesSinceCheckpoint": "N",
    "parentShardId": "SS",
    "pendingCheckpoint": "S",
    "pendingCheckpointState": "B",
    "pendingCheckpointSubSequenceNumber": "N",
    "startingHashKey": "S",
    "throughputKBps": "N",
}
#: The first of these tests waits for the histories, and may install the libraries.
SLOW: Final = pytest.mark.timeout(600)
#: Those that the Consumer does not know.
KCL_ALONE: Final = {"entityType", "throughputKBps"}


@pytest.fixture(scope="module")
def histories(server, kinesis, ministack_program, tmp_path_factory):  # noqa: F811
    """Return a callable that waits for a history. They run at the same time: workers wait for most of theirs."""
    folder = tmp_path_factory.mktemp("interchange")
    session = boto3.session.Session("testing", "testing", region_name=server.region_name)
    with contextlib.ExitStack() as resources:
        url = resources.enter_context(running(ministack_program, folder))
        environment = {**server.environment, "AWS_ENDPOINT_URL_DYNAMODB": url, "AWS_ENDPOINT_URL_CLOUDWATCH": url}
        dynamodb = session.client("dynamodb", endpoint_url=url, config=Config(proxies={}))
        resources.callback(dynamodb.close)
        maker = Histories(kinesis, dynamodb)
        pool = resources.enter_context(concurrent.futures.ThreadPoolExecutor(3 * len(VERSIONS)))

        def start(version):
            java = java_of(version)
            workers, doomed = (
                resources.enter_context(contextlib.closing(Workers(folder / f"{version}-{name}", environment, java)))
                for name in ("turns", "killed")
            )
            for order in ORDERS:
                yield order, pool.submit(maker.take_turns, workers, server.new_name(), *order)
            yield "killed", pool.submit(maker.take_over, doomed, server.new_name())

        started = {}
        for version in VERSIONS:
            try:
                started[version] = dict(start(version))
            except CannotInstallError as error:
                started[version] = error

        def wait(version, order):
            if isinstance(started[version], CannotInstallError):
                raise started[version]
            return started[version][order].result()

        yield wait


@pytest.fixture(params=VERSIONS)
def version(request):
    return request.param


@pytest.fixture
def history(histories, version, order):
    with or_skipped(f"version {version} of the Kinesis Client Library"):
        return histories(version, order)


def named(order):
    return "-".join(order)


both_orders = pytest.mark.parametrize("order", ORDERS, ids=named)


def types(item, without=frozenset()):
    """The attributes of an item with their types."""
    return {name: next(iter(value)) for name, value in item.items() if name not in without}


def values(leases, name):
    """The values of an attribute by key; sets have no order."""
    attributes = {key: item.get(name, {}) for key, item in leases.items()}
    return {key: sorted(next(iter(value.values()), "")) for key, value in attributes.items()}


@SLOW
@both_orders
def test_each_worker_goes_on_exactly_where_the_one_before_it_stopped(history):
    stored = history.stream.stored
    assert history.taken(ZERO) == [stored[ZERO][:6], stored[ZERO][6:], [], [], []]
    assert history.taken(ONE) == [
        stored[ONE][:6],
        stored[ONE][6:20],
        stored[ONE][20:32],
        stored[ONE][32:36],
        stored[ONE][36:],
    ]
    for child in (LOW, HIGH):
        assert history.taken(child) == [[], stored[child][:16], stored[child][16:], [], []]
    assert history.taken(MERGED) == [[], [], stored[MERGED][:12], stored[MERGED][12:16], stored[MERGED][16:]]


@SLOW
@both_orders
def test_the_checkpoints_were_inside_aggregates(history):
    places = [
        {key: int(lease["checkpointSubSequenceNumber"]["N"]) for key, lease in leases.items()}
        for leases in history.leases
    ]
    assert places[0] == {ZERO: 2, ONE: 2}
    assert (places[1][LOW], places[1][HIGH]) == (0, 0)  # the first of five
    assert (places[2][ONE], places[2][MERGED]) == (2, 2)


@SLOW
@both_orders
def test_parents_are_ended_once_and_before_their_children_begin(history):
    assert history.turns_with(ZERO, "ends") == [1]
    assert history.turns_with(ZERO, "begins") == [0, 1]
    for child in (LOW, HIGH):
        assert history.place(1, ZERO, "ends") < history.place(1, child, "begins")
        assert history.turns_with(child, "ends") == [2]
        assert history.turns_with(child, "begins") == [1, 2]
        assert history.place(2, child, "ends") < history.place(2, MERGED, "begins")
    checkpoints = {key: lease["checkpoint"]["S"] for key, lease in history.leases[1].items()}
    assert [key for key, checkpoint in checkpoints.items() if checkpoint == "SHARD_END"] == [ZERO]
    assert values(history.leases[1], "childShardIds") == {ZERO: [LOW, HIGH], ONE: [], LOW: [], HIGH: []}
    assert values(history.leases[2], "childShardIds")[LOW] == [MERGED]


@SLOW
@both_orders
def test_a_pending_checkpoint_is_given_to_the_worker_that_follows(history):
    announced = history.leases[0]
    author = history.kinds[0]
    for shard_id in (ZERO, ONE):
        lease = announced[shard_id]
        number, subsequence = lease["pendingCheckpoint"]["S"], lease["pendingCheckpointSubSequenceNumber"]["N"]
        assert bytes(lease["pendingCheckpointState"]["B"]) == f"by-{author}".encode()
        # On a loaded machine the KCL may lose a lease to itself and begin again, after the checkpoint below.
        began = [fact.value for fact in history.turns[1].facts if fact[:2] == (shard_id, "begins")]
        assert began[0] == f"{number}/{subsequence}/by-{author}", began
        # The checkpoint of the next worker completes it.
        assert not {name for name in history.leases[1][shard_id] if name.startswith("pending")}


@SLOW
@both_orders
def test_a_lease_has_only_attributes_of_the_library_with_their_types(history):
    for leases in history.leases:
        for lease in leases.values():
            found = types(lease, without={"ofAnotherVersion"})
            assert found == {name: TYPES.get(name) for name in found}


@SLOW
def test_both_write_the_same_leases(histories, version):
    with or_skipped(f"version {version} of the Kinesis Client Library"):
        ours, theirs = (histories(version, (kind, *{*KINDS} - {kind})) for kind in ("consumer", "kcl"))
    # The KCL leaves its name on a lease that it stops with; the Consumer gives it up at once.
    different = KCL_ALONE | {*OF_OTHERS, "leaseOwner"}
    for turn in (0, 1):
        assert ours.leases[turn].keys() == theirs.leases[turn].keys()
        for key, lease in ours.leases[turn].items():
            assert types(lease, different) == types(theirs.leases[turn][key], different)
        for name in ("startingHashKey", "endingHashKey", "parentShardId", "childShardIds"):
            assert values(ours.leases[turn], name) == values(theirs.leases[turn], name)


@SLOW
@both_orders
def test_the_consumer_keeps_what_it_does_not_know(history):
    turns = [turn for turn, kind in enumerate(history.kinds) if turn and kind == "consumer"]
    for turn in turns:
        before, after = history.leases[turn - 1], history.leases[turn]
        assert before.keys() & after.keys()
        for key in before.keys() & after.keys():
            expected = {**before[key], **OF_OTHERS}  # these were added before the turn
            for name in KCL_ALONE | {*OF_OTHERS}:
                assert after[key].get(name) == expected.get(name)


@SLOW
def test_the_library_does_not_read_a_shard_again_whose_lease_the_consumer_has_removed(histories, version):
    with or_skipped(f"version {version} of the Kinesis Client Library"):
        history = histories(version, ("kcl", "consumer"))
    assert ZERO in history.leases[2]
    assert ZERO not in history.leases[3]
    assert ZERO not in history.leases[4]
    assert history.turns_with(ZERO, "begins") == [0, 1]


@SLOW
def test_the_consumer_leaves_the_other_entities_of_the_library_alone(histories, version):
    """From version 3.5 on the KCL keeps the state of its workers in the table of the leases."""
    with or_skipped(f"version {version} of the Kinesis Client Library"):
        history = histories(version, ("kcl", "consumer"))
    states = [others.get("Migration3.0") for others in history.others]
    assert states == [states[0]] * len(history.turns)
    assert (states[0] is not None) == (version != "3.1.3")


@SLOW
def test_a_worker_that_was_killed_is_followed_from_its_last_checkpoint(histories, version):
    with or_skipped(f"version {version} of the Kinesis Client Library"):
        history = histories(version, "killed")
    assert history.kinds == ["consumer", "kcl", "consumer"]
    for shard_id in (ZERO, ONE):
        stored = history.stream.stored[shard_id]
        assert history.taken(shard_id) == [stored[:6], stored[6:13], stored[13:]]
        # The one that was killed had not given its lease up.
        assert all("leaseOwner" in leases[shard_id] for leases in history.leases[:2])
