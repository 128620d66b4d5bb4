"""Each kind of fault does what its sentences in the table claim: the client's view, and the stored records."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import aiohttp
import pytest

from truckstream.local import Fault, FaultPlan, LocalKinesis, RefusedError, VirtualClock
from truckstream.local.faults import KINDS
from truckstream.local.faults.kinds.kind import RecordKind

BODY = b'{"StreamName":"s","Records":[{"Data":"aGVsbG8=","PartitionKey":"a"},{"Data":"aGVsbG8=","PartitionKey":"b"}]}'


async def ask(kinesis, operation="PutRecords", body=BODY, **headers):
    """Send one request on its own connection. Return its status and document, or the name of the connection's end."""
    headers = {
        "X-Amz-Target": f"Kinesis_20131202.{operation}",
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Date": datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"),
    } | headers
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(0.3)) as session,
            session.post(kinesis.endpoint_url, data=body, headers=headers) as response,
        ):
            body = await response.read()
            return response.status, json.loads(body) if body.startswith(b"{") else body.decode()
    except TimeoutError:
        return "timeout"
    except aiohttp.ClientPayloadError:
        return "cut"
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
        return "disconnected"


async def stored(kinesis):
    return [record async for record in kinesis.stored()]


async def shard_count(kinesis):
    response = await kinesis.call("DescribeStreamSummary", StreamName="s")
    return response["StreamDescriptionSummary"]["OpenShardCount"]


#: Kind, options, the client's view (a status, or the connection's end), and how many of two records are stored.
SEEN = [
    ("throttle", {}, 200, 0),
    ("internal-failure", {}, 200, 0),
    ("internal-failure-after", {}, 200, 2),
    ("reset-before", {}, "disconnected", 0),
    ("reset-request", {}, "disconnected", 0),
    ("stall", {}, "timeout", 0),
    ("access-denied", {}, 400, 0),
    ("expired-token", {}, 400, 0),
    ("limit-exceeded", {"operations": ("PutRecords",)}, 400, 0),
    ("error-before", {}, 500, 0),
    ("error-before", {"status": 503}, 503, 0),
    ("error-before", {"status": 502}, 502, 0),
    ("error-after", {}, 500, 2),
    ("error-after", {"status": 504}, 504, 2),
    ("reset-after", {}, "disconnected", 2),
    ("reset-answer", {}, "cut", 2),
    ("stall-after", {}, "timeout", 2),
    ("latency", {"seconds": 10.0}, "timeout", 2),
    ("skew", {"seconds": 10.0}, 200, 2),
    ("skew", {"seconds": 400.0}, 400, 0),
    ("skew", {"seconds": -400.0}, 400, 0),
    ("split", {}, 200, 2),
    ("merge", {}, 200, 2),
    ("delete", {}, 400, None),
    ("recreate", {}, 200, 2),
]


def test_every_kind_is_tried():
    assert {kind for kind, *_ in SEEN} == set(KINDS)


@pytest.mark.parametrize(
    "own_process",
    [pytest.param(False, id="here"), pytest.param(True, id="own process", marks=pytest.mark.slow)],
)
@pytest.mark.parametrize(("kind", "options", "seen", "count"), SEEN)
async def test_a_fault_is_seen_by_the_client_and_stores_what_its_table_says(kind, options, seen, count, own_process):
    plan = FaultPlan(Fault(kind, **options))
    async with LocalKinesis("s", 2, faults=plan, own_process=own_process) as kinesis:
        got = await ask(kinesis)
        assert (got if isinstance(got, str) else got[0]) == seen
        if count is None:
            with pytest.raises(RefusedError, match="ResourceNotFoundException"):
                await stored(kinesis)
            return
        assert len(await stored(kinesis)) == count
        hits = 2 if isinstance(KINDS[kind], RecordKind) else 1
        assert (await kinesis.stats()).faults == {kind: hits}
        assert await shard_count(kinesis) == {"split": 3, "merge": 1}.get(kind, 2)


@pytest.mark.parametrize(
    ("kind", "response"),
    [
        ("access-denied", {
            "__type": "AccessDeniedException",
            "message": "User: arn:aws:iam::000000000000:user/local is not authorized to perform: kinesis:PutRecords on "
            "resource: arn:aws:kinesis:us-east-1:000000000000:stream/s because no identity-based policy allows the "
            "kinesis:PutRecords action",
        }),
        ("expired-token", {
            "__type": "ExpiredTokenException",
            "message": "The security token included in the request is expired",
        }),
        ("error-before", {"__type": "InternalFailure"}),
        ("throttle", {
            "FailedRecordCount": 2,
            "Records": [{
                "ErrorCode": "ProvisionedThroughputExceededException",
                "ErrorMessage": "Rate exceeded for shard shardId-000000000000 in stream s under account 000000000000.",
            }] * 2,
        }),
        ("internal-failure", {
            "FailedRecordCount": 2,
            "Records": [{"ErrorCode": "InternalFailure", "ErrorMessage": "Internal service failure."}] * 2,
        }),
    ],
)  # fmt: skip
async def test_errors_have_the_messages_of_the_service(kind, response):
    async with LocalKinesis("s", faults=FaultPlan(Fault(kind))) as kinesis:
        assert (await ask(kinesis))[1] == response


async def test_faults_strike_single_puts_and_reads_too():
    faults = [Fault("throttle", count=1), Fault("internal-failure-after", count=1, skip=1)]
    faults.append(Fault("throttle", operations=("GetRecords",)))
    body = b'{"StreamName":"s","Data":"aGVsbG8=","PartitionKey":"a"}'
    async with LocalKinesis("s", faults=FaultPlan(*faults)) as kinesis:
        responses = [await ask(kinesis, "PutRecord", body) for _ in range(3)]
        errors = [(status, response.get("__type", "")) for status, response in responses]
        assert errors == [(400, "ProvisionedThroughputExceededException"), (500, "InternalFailure"), (200, "")]
        assert len(await stored(kinesis)) == 2
        response = await kinesis.call(
            "GetShardIterator", StreamName="s", ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
        )
        status, document = await ask(
            kinesis, "GetRecords", json.dumps({"ShardIterator": response["ShardIterator"]}).encode()
        )
        assert (status, document["__type"]) == (400, "ProvisionedThroughputExceededException")


async def test_only_the_control_plane_is_throttled():
    async with LocalKinesis("s", faults=FaultPlan(Fault("limit-exceeded"))) as kinesis:
        assert (await ask(kinesis))[0] == 200
        assert await ask(kinesis, "DescribeStreamSummary", b'{"StreamName":"s"}') == (
            400,
            {"__type": "LimitExceededException", "message": "Rate exceeded for stream s under account 000000000000."},
        )


async def test_a_skewed_clock_is_in_the_date_header_and_a_signature_by_it_passes():
    async with LocalKinesis("s", faults=FaultPlan(Fault("skew", seconds=3_600))) as kinesis:
        status, document = await ask(kinesis)
        assert (status, document["__type"]) == (400, "InvalidSignatureException")
        assert document["message"].startswith("Signature expired: ")
        assert document["message"].endswith(" - 5 min.)")
        async with aiohttp.ClientSession() as session, session.post(kinesis.endpoint_url, data=b"{}") as response:
            ahead = parsedate_to_datetime(response.headers["Date"]) - datetime.now(UTC)
        assert timedelta(minutes=59) < ahead < timedelta(minutes=61)
        corrected = (datetime.now(UTC) + ahead).strftime("%Y%m%dT%H%M%SZ")
        assert (await ask(kinesis, **{"X-Amz-Date": corrected}))[0] == 200


async def test_the_same_seed_meets_the_same_requests_with_the_same_faults():
    plan = FaultPlan(
        Fault("error-after", rate=0.3), Fault("throttle", rate=0.3), Fault("reset-before", rate=0.2), seed=7
    )

    async def run(own_process):
        async with LocalKinesis("s", faults=plan, own_process=own_process) as kinesis:
            seen = [await ask(kinesis) for _ in range(20)]
            return [one if isinstance(one, str) else one[0] for one in seen], (await kinesis.stats()).faults

    here = await run(own_process=False)
    assert here == await run(own_process=False) == await run(own_process=True)
    assert set(here[0]) == {200, 500, "disconnected"}


@pytest.mark.parametrize("own_process", [False, True], ids=["here", "own process"])
async def test_faults_are_injected_and_cleared_while_it_runs(own_process):
    async with LocalKinesis("s", own_process=own_process) as kinesis:
        await kinesis.inject(Fault("error-before", count=1), Fault("access-denied"))
        assert [(await ask(kinesis))[0] for _ in range(2)] == [500, 400]
        assert (await kinesis.call("DescribeStreamSummary", StreamName="s"))["StreamDescriptionSummary"]
        await kinesis.clear_faults()
        assert (await ask(kinesis))[0] == 200
        assert (await kinesis.stats()).faults == {"error-before": 1, "access-denied": 1}


async def test_faults_are_shown_and_set_over_http():
    async with LocalKinesis("s", faults=FaultPlan(Fault("stall", after=60.0), seed=5)) as kinesis:
        url = f"{kinesis.endpoint_url}/_truckstream/faults"
        async with aiohttp.ClientSession() as session:
            async with session.post(url, json={"kind": "access-denied"}) as response:
                assert response.status == 200
            await ask(kinesis)
            async with session.get(url) as response:
                assert await response.json() == {
                    "seed": 5,
                    "faults": [
                        {"fault": {"kind": "stall", "after": 60.0}, "hits": 0},
                        {"fault": {"kind": "access-denied"}, "hits": 1},
                    ],
                    "hits": {"access-denied": 1},
                }
            async with session.post(url, json={"kind": "access-denied", "rate": 3}) as response:
                assert response.status == 400
                assert (await response.json())["message"] == "rate is 3.0: must be between 0 and 1"
            async with session.post(url, data=b"{", headers={"Content-Type": "application/json"}) as response:
                assert response.status == 400
            async with session.delete(url) as response:
                assert (await response.json())["faults"] == []


async def test_a_stalled_request_ends_when_its_client_gives_up():
    async with LocalKinesis("s", faults=FaultPlan(Fault("stall", count=1))) as kinesis:
        before = len(asyncio.all_tasks())
        assert await ask(kinesis) == "timeout"
        for _ in range(200):
            if len(asyncio.all_tasks()) <= before:
                break
            await asyncio.sleep(0.01)
        else:
            pytest.fail("its handler is still waiting")
        assert (await ask(kinesis))[0] == 200


@pytest.mark.parametrize("own_process", [False, True], ids=["here", "own process"])
async def test_stored_records_are_read_without_a_quota_and_in_order(own_process):
    async with LocalKinesis("s", 4, quotas=False, own_process=own_process) as kinesis:
        for batch in range(50):
            entries = [{"Data": b"%d" % (batch * 500 + n), "PartitionKey": f"k{n}"} for n in range(500)]
            await kinesis.call("PutRecords", StreamName="s", Records=entries)
        records = await stored(kinesis)
        assert len(records) == 25_000
        assert sorted(int(record.data) for record in records) == list(range(25_000))
        by_shard = {}
        for record in records:
            by_shard.setdefault(record.shard_id, []).append(int(record.sequence_number))
        assert len(by_shard) == 4
        assert all(numbers == sorted(numbers) for numbers in by_shard.values())
        assert sum(shard.records_out for shard in (await kinesis.stats()).shards.values()) == 0
        with pytest.raises(RefusedError, match="Stream x under account"):
            _ = [record async for record in kinesis.stored("x")]


@pytest.mark.parametrize("kind", ["error-before", "error-after", "access-denied", "reset-answer"])
async def test_latency_delays_every_response(kind):
    async with LocalKinesis("s", faults=FaultPlan(Fault(kind), Fault("latency", seconds=10.0))) as kinesis:
        assert await ask(kinesis) == "timeout"


async def test_a_deleted_stream_has_no_shards_in_the_stats():
    async with LocalKinesis("s", faults=FaultPlan(Fault("delete"))) as kinesis:
        assert (await ask(kinesis))[1]["__type"] == "ResourceNotFoundException"
        stats = await kinesis.stats()
        assert (stats.shards, stats.faults) == ({}, {"delete": 1})


async def test_stream_changes_wait_until_the_stream_is_active_and_filter_shards():
    """A split waits while the stream is UPDATING after another, and only shard 1 and its half are neighbours left."""
    clock = VirtualClock()
    faults = [
        Fault("split", shards=("shardId-000000000001",)),
        Fault("split", shards=("shardId-000000000000",), after=1.0),
        Fault("merge", shards=("shardId-000000000002", "shardId-000000000003"), after=2.0),
    ]
    async with LocalKinesis("s", 2, faults=FaultPlan(*faults), transition_seconds=10.0, clock=clock) as kinesis:
        counts = []
        for _ in range(4):
            await ask(kinesis)
            counts.append((await shard_count(kinesis), sum((await kinesis.stats()).faults.values())))
            clock.advance(5.0)
        assert counts == [(3, 1), (3, 1), (4, 2), (4, 2)]
        await ask(kinesis)
        assert await shard_count(kinesis) == 3
        assert (await kinesis.stats()).faults == {"split": 2, "merge": 1}


async def test_a_malformed_control_request_is_rejected():
    async with (
        LocalKinesis("s") as kinesis,
        aiohttp.ClientSession() as session,
        session.get(f"{kinesis.endpoint_url}/_truckstream/stored", params={"place": "x"}) as response,
    ):
        assert response.status == 400
