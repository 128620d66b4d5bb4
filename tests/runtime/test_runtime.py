"""The function's zip under Lambda's runtime: full events, invalid records, failing stores, deadlines, cold starts."""

import json
import re

import duckdb
import pytest

from tests.batcher.support import number, record, truck, trucks
from tests.credential_server import CredentialServer

#: The limit is long because each test starts processes, maybe on a busy machine. No test here asserts a duration.
pytestmark = pytest.mark.timeout(300)

DONE = {"batchItemFailures": []}


def failed_from(n):
    return {"batchItemFailures": [{"itemIdentifier": number(n)}]}


def lines(folder, prefix="sensor_data"):
    return [line for path in sorted(folder.glob(f"{prefix}/**/*.json")) for line in path.read_bytes().splitlines()]


def lines_in(bucket, prefix="sensor_data/"):
    return sorted(
        line for key in bucket.objects if key.startswith(prefix) for line in bucket.objects[key][0].split(b"\n") if line
    )


def reports(count, start=0):
    """Return the stored lines of `count` records from number `start` on."""
    import base64  # noqa: PLC0415

    return sorted(base64.b64decode(each["kinesis"]["data"]) for each in trucks(count, start))


def s3(bucket, **settings):
    return {"BUCKET_NAME": "trucks", "AWS_ENDPOINT_URL_S3": bucket.endpoint_url, **settings}


async def test_a_full_event_becomes_seven_objects_within_the_functions_memory(function, tmp_path):
    async with function(STORE_URL=tmp_path.as_uri()) as runtime:
        answer = await runtime.invoke(trucks(4_900))
        assert answer.response == DONE
        assert runtime.peak_memory() < 256_000_000
    assert [path.read_bytes().count(b"\n") for path in tmp_path.glob("sensor_data/*.json")] == [700] * 7
    assert sorted(lines(tmp_path)) == reports(4_900)


async def test_a_full_event_reaches_s3(function, moto_url, fake_credentials):  # noqa: ARG001
    from aiobotocore.session import get_session  # noqa: PLC0415

    session = get_session().create_client("s3", region_name="us-east-1", endpoint_url=moto_url)
    async with session as client, function(BUCKET_NAME="runtime", AWS_ENDPOINT_URL_S3=moto_url) as runtime:
        await client.create_bucket(Bucket="runtime")
        assert (await runtime.invoke(trucks(4_900))).response == DONE
        assert (await runtime.invoke(trucks(4_900))).response == DONE  # delivered again
        listed = await client.list_objects_v2(Bucket="runtime", Prefix="sensor_data/")
        bodies = [
            await (await client.get_object(Bucket="runtime", Key=each["Key"]))["Body"].read()
            for each in listed["Contents"]
        ]
    assert sorted(line for body in bodies for line in body.splitlines()) == reports(4_900)


async def test_invalid_records_are_rejected_and_valid_ones_stored(function, tmp_path):
    bad = [
        record(b"", 700),
        record(b"\xff\xfe{", 701),
        record(b'{"truck_id": NaN}', 702),
        record(truck(703, speed=999.0), 703),
        record(b"x", 704, encoded="not base64!"),
        record(b"[" * 100_000, 705),
    ]
    async with function(STORE_URL=tmp_path.as_uri()) as runtime:
        assert (await runtime.invoke([*trucks(700), *bad])).response == DONE
    assert len(lines(tmp_path)) == 700
    refused = [json.loads(line) for line in lines(tmp_path, "rejected")]
    assert {line["sequence_number"] for line in refused} == {number(n) for n in range(700, 706)}
    assert all(line["reason"] for line in refused)


@pytest.mark.parametrize("status", [403, 503])
async def test_if_s3_rejects_every_put_the_first_record_is_reported(function, bucket, status):
    """S3 always returns AccessDenied or SlowDown: the function responds long before its timeout."""
    bucket.refuse = lambda _: status
    async with function(**s3(bucket)) as runtime:
        assert (await runtime.invoke(trucks(1_400), seconds=900.0)).response == failed_from(0)
        assert bucket.puts > 0
        bucket.refuse = lambda _: None
        assert (await runtime.invoke(trucks(1_400))).response == DONE
    assert lines_in(bucket) == reports(1_400)


async def test_if_s3_rejects_one_put_the_first_record_of_its_group_is_reported(function, bucket):
    """Of five groups of ten, the third PUT is rejected: the groups stored before it are not redelivered."""
    async with function(**s3(bucket, BATCH_SIZE="10")) as runtime:
        assert (await runtime.invoke(trucks(50))).response == DONE
        batches = [key for key in bucket.objects if "/batch_" in key]
        third = sorted(batches, key=lambda key: min(bucket.objects[key][0].splitlines()))[2]
        bucket.objects.clear()
        bucket.refuse = lambda key: 403 if key == third else None
        assert (await runtime.invoke(trucks(50))).response == failed_from(20)
        bucket.refuse = lambda _: None
        assert (await runtime.invoke(trucks(30, 20))).response == DONE
    assert lines_in(bucket) == reports(50)


async def test_too_little_time_starts_no_put(function, bucket):
    async with function(**s3(bucket)) as runtime:
        assert (await runtime.invoke(trucks(700), seconds=0.5)).response == failed_from(0)
        assert bucket.objects == {}
        assert (await runtime.invoke(trucks(700))).response == DONE
    assert lines_in(bucket) == reports(700)


async def test_the_function_responds_before_its_deadline_if_s3_is_silent(function, bucket):
    """The PUTs hang: the function responds in time, and the redelivery finds the objects that were stored late."""
    bucket.open.clear()
    async with function(**s3(bucket)) as runtime:
        assert (await runtime.invoke(trucks(1_400), seconds=4.0)).response == failed_from(0)
        bucket.open.set()
        assert (await runtime.invoke(trucks(1_400))).response == DONE
    assert lines_in(bucket) == reports(1_400)


async def test_after_a_kill_during_puts_each_record_is_stored_once(function, bucket):
    """The process is killed while PUTs are in flight, some of which succeed; a new one gets the same event."""
    async with function(**s3(bucket)) as runtime:
        bucket.open.clear()
        lost = runtime.submit({"Records": trucks(4_900)})
        await bucket.reached.wait()
        await runtime.kill()
        assert not lost.done()
        bucket.open.set()
        await runtime.start()
        assert (await runtime.invoke(trucks(4_900))).response == DONE
    assert lines_in(bucket) == reports(4_900)


async def test_warm_calls_succeed_one_after_another(function, bucket):
    async with function(**s3(bucket)) as runtime:
        first = await runtime.invoke(trucks(700))
        pid = runtime.process.pid
        second = await runtime.invoke(trucks(700, 700))
        assert (first.response, second.response, runtime.process.pid) == (DONE, DONE, pid)
    assert lines_in(bucket) == reports(1_400)


async def test_a_warm_call_after_a_freeze_opens_new_connections(function, bucket):
    """S3 closes the connections while Lambda has frozen the environment."""
    async with function(**s3(bucket)) as runtime:
        assert (await runtime.invoke(trucks(2_100))).response == DONE
        runtime.freeze()
        bucket.hang_up()
        runtime.thaw()
        assert (await runtime.invoke(trucks(2_100, 2_100))).response == DONE
    assert lines_in(bucket) == reports(4_200)


# --- A schema of your own ---------------------------------------------------------------------------


@pytest.mark.slow
async def test_readings_of_a_users_schema_become_parquet_objects(sensor_function, tmp_path):
    settings = {"SCHEMA": "my_schema:Reading", "FORMAT": "parquet", "BATCH_SIZE": "100", "COMPRESSION": "none"}
    readings = [(n, n / 2, None if n % 3 else "roof") for n in range(250)]
    good = [
        record(json.dumps(dict(zip(("sensor", "celsius", "place"), row, strict=True))).encode(), n)
        for n, row in enumerate(readings)
    ]
    bad = record(b'{"sensor":1,"celsius":"hot","place":null}', 250)
    async with sensor_function(STORE_URL=tmp_path.as_uri(), **settings) as runtime:
        assert (await runtime.invoke([*good, bad])).response == DONE
        assert (await runtime.invoke([*good, bad])).response == DONE  # delivered again
    columns = "sensor, celsius, place"
    stored = duckdb.sql(f"SELECT {columns} FROM read_parquet('{tmp_path}/sensor_data/*.parquet') ORDER BY sensor")
    assert dict(zip(stored.columns, map(str, stored.types), strict=True)) == {
        "sensor": "BIGINT",
        "celsius": "DOUBLE",
        "place": "VARCHAR",
    }
    assert stored.fetchall() == readings
    [rejected] = map(json.loads, lines(tmp_path, "rejected"))
    assert (rejected["field"], rejected["reason"]) == ("celsius", "wrong_type")


async def test_a_schema_that_the_zip_does_not_have_is_named(function):
    async with function(STORE_URL="memory:///", SCHEMA="my_schema:Reading") as runtime:
        answer = await runtime.invoke(trucks(1))
    assert "SCHEMA is 'my_schema:Reading', and No module named 'my_schema'" in answer.error["errorMessage"]


# --- Credentials ------------------------------------------------------------------------------------


def without_keys(bucket, server, **token):
    """Return the settings of a function with SnapStart: the URL of its credentials, and no keys."""
    url = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url}
    return s3(bucket, **url, **token, AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)


def signers(bucket):
    """Return the access key and the session token of each request."""
    return {
        (re.search(r"Credential=(\w+)/", headers["Authorization"])[1], headers.get("x-amz-security-token"))
        for _, _, headers in bucket.requests
    }


async def test_with_snapstart_the_credentials_come_from_the_url(function, bucket):
    async with CredentialServer("a token") as server:
        settings = without_keys(bucket, server, AWS_CONTAINER_AUTHORIZATION_TOKEN="a token")
        async with function(**settings) as runtime:
            assert (await runtime.invoke(trucks(1_400))).response == DONE
            assert (await runtime.invoke(trucks(700, 1_400))).response == DONE
    assert lines_in(bucket) == reports(2_100)
    assert signers(bucket) == {("ASIA0001", "session-1")}


async def test_credentials_that_expire_are_fetched_again_with_the_files_current_token(function, bucket, tmp_path):
    token = tmp_path / "token"
    token.write_text("first\n")
    async with CredentialServer("first") as server:
        server.lifetime = 1.0  # seconds; obstore fetches credentials again that expire within minutes
        settings = without_keys(bucket, server, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(token))
        async with function(**settings) as runtime:
            assert (await runtime.invoke(trucks(700))).response == DONE
            before = signers(bucket)
            bucket.requests.clear()
            server.token = "second"
            token.write_text("second\n")
            count = 700
            while signers(bucket) <= before:  # obstore keeps credentials for a tenth of a second in any case
                assert (await runtime.invoke(trucks(7, count))).response == DONE
                count += 7
    assert before == {("ASIA0001", "session-1")}
    assert ("ASIA0002", "session-2") in signers(bucket)
    assert lines_in(bucket) == reports(count)


async def test_refused_credentials_are_reported_and_lose_no_record(function, bucket):
    async with CredentialServer("a token") as server:
        settings = without_keys(bucket, server, AWS_CONTAINER_AUTHORIZATION_TOKEN="another")
        async with function(**settings) as runtime:
            assert (await runtime.invoke(trucks(10))).response == failed_from(0)
            server.token = "another"
            assert (await runtime.invoke(trucks(10))).response == DONE
    [failed] = [line for line in map(json.loads, runtime.log) if line.get("RecordsNotStored")]
    assert "Check AWS_CONTAINER_CREDENTIALS_FULL_URI and the authorization token" in str(failed["causes"])
    assert lines_in(bucket) == reports(10)


# --- Events -----------------------------------------------------------------------------------------


async def test_an_event_of_another_source_is_an_error_and_the_next_event_succeeds(function, tmp_path):
    async with function(STORE_URL=tmp_path.as_uri()) as runtime:
        refused = await runtime.invoke([{"eventSource": "aws:sqs", "body": ""}])
        assert "Kinesis" in refused.error["errorMessage"]
        assert (await runtime.invoke(trucks(1))).response == DONE


async def test_a_missing_setting_is_named(function):
    async with function() as runtime:
        answer = await runtime.invoke(trucks(1))
    assert answer.error["errorType"].endswith("ConfigurationError")
    assert "BUCKET_NAME is not set" in answer.error["errorMessage"]


async def test_each_call_logs_its_request_id_and_no_records(function, tmp_path):
    async with function(STORE_URL=tmp_path.as_uri()) as runtime:
        await runtime.invoke([*trucks(9), record(truck(9, speed=555.5), 9)])
        await runtime.invoke(trucks(10, 10))
    log = "\n".join(runtime.log)
    calls = [json.loads(line) for line in runtime.log if line.startswith("{")]
    assert [call["request_id"] for call in calls if "_aws" in call] == ["request-0001", "request-0002"]
    assert "555.5" not in log
    assert "TRUCK_009" not in log
