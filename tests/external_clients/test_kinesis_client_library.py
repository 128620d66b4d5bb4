"""The Kinesis Client Library for Java: leases in moto's DynamoDB, subscriptions, a shard and its children."""

import json
from urllib.request import ProxyHandler, build_opener

import pytest

from tests.external_clients import kcl_worker as client_library

PARENT, LOW, HIGH = "shardId-000000000000", "shardId-000000000001", "shardId-000000000002"


@pytest.fixture(scope="module")
def worker(server, moto_url, kinesis, tmp_path_factory):
    with client_library.working(server, moto_url, kinesis, tmp_path_factory.mktemp("kcl")) as started:
        yield started


def test_it_reads_a_shard_to_its_end_and_then_its_children(worker):
    worker.wait_for("before", "low", "high")
    facts = worker.facts()
    assert [(what, value) for shard_id, what, value in facts if shard_id == PARENT] == [
        ("begins", ""),
        ("record", "before"),
        ("ends", ""),
    ]
    for child, data in ((LOW, "low"), (HIGH, "high")):
        assert (
            facts.index((PARENT, "ends", ""))
            < facts.index((child, "begins", ""))
            < facts.index((child, "record", data))
        )


def test_records_put_while_it_reads_are_pushed_to_it(worker, kinesis, server):
    worker.wait_for("before", "low", "high")
    later = [f"later-{number}" for number in range(200)]
    records = [{"Data": data.encode(), "PartitionKey": data} for data in later]
    assert kinesis.put_records(StreamName=worker.stream, Records=records)["FailedRecordCount"] == 0
    worker.wait_for(*later)
    taken = [value for _, what, value in worker.facts() if what == "record"]
    assert sorted(taken) == sorted({*taken})
    stats = f"{server.endpoint_url}/_truckstream/stats?stream={worker.stream}"
    with build_opener(ProxyHandler({})).open(stats) as page:
        assert json.load(page)["operations"]["SubscribeToShard"] >= 3  # each in CBOR over HTTP/2
