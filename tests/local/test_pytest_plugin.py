"""The fixtures, in a pytest of their own."""

import json
import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]


@pytest.fixture
def run(pytester):
    """Run the text of a test file."""

    def run(text, *arguments):
        pytester.makepyfile(text)
        loop_scope = "asyncio_default_fixture_loop_scope=function"  # pytest-asyncio warns if it is not set
        return pytester.runpytest_subprocess("-W", "error", "--strict-markers", "-o", loop_scope, *arguments)

    return run


def test_each_test_has_its_own_kinesis_that_every_client_uses(run):
    """boto3's default session is kept between tests; its endpoint and credentials are each test's."""
    result = run(
        """
        import os
        import boto3
        import pytest

        @pytest.mark.parametrize("number", range(3))
        def test_one(kinesis, number):
            client = boto3.client("kinesis")
            assert client.meta.endpoint_url == kinesis.endpoint_url
            client.put_record(StreamName="truck-sensor-stream", Data=b"%d" % number, PartitionKey="k")
            client.close()
            assert [record.data for record in kinesis.stored()] == [b"%d" % number]
            assert kinesis.stats().records_in == 1

        def test_the_environment_is_as_it_was():
            assert "AWS_ENDPOINT_URL_KINESIS" not in os.environ
        """
    )
    result.assert_outcomes(passed=4)


def test_marks_are_merged_and_the_nearest_wins(run):
    result = run(
        """
        import pytest
        from truckstream.local import Fault

        pytestmark = pytest.mark.kinesis(shards=2, quotas=False)

        def count(kinesis):
            return len(kinesis.call("ListShards", StreamName=kinesis.stream_name)["Shards"])

        def put(kinesis, number):
            records = [{"Data": b"x", "PartitionKey": "k"}] * number
            return kinesis.call("PutRecords", StreamName=kinesis.stream_name, Records=records)["FailedRecordCount"]

        def test_the_modules(kinesis):
            assert count(kinesis) == 2
            assert [put(kinesis, 500) for _ in range(4)] == [0, 0, 0, 0]

        @pytest.mark.kinesis(shards=3, stream="mine", faults=["throttle:rate=0.5", Fault("stall")], seed=7)
        class TestClass:
            def test_the_classes(self, kinesis):
                assert (kinesis.stream_name, count(kinesis)) == ("mine", 3)
                assert kinesis.faults.seed == 7
                assert [fault.kind for fault in kinesis.faults.faults] == ["throttle", "stall"]

            @pytest.mark.kinesis(shards=4, quotas=0.1, virtual_clock=True)
            def test_its_own(self, kinesis):
                assert count(kinesis) == 4
                assert put(kinesis, 150) == 50
                kinesis.advance(1)
                assert put(kinesis, 150) == 50
        """
    )
    result.assert_outcomes(passed=3)


#: Options of the mark that do not exist or are out of range, and the start of the message about each.
WRONG_MARKS = {
    "shard=4": "the kinesis mark has no option shard; it takes allowed_hosts, check_signatures",
    "own_process=True": "the kinesis mark has no option own_process",
    "4": "the kinesis mark takes options by name, not 4",
    "shards=0": "shards is 0: must be at least 1",
    "faults=['gremlin']": "kind is 'gremlin': must be one of throttle",
}


def test_a_wrong_mark_is_an_error(run):
    tests = (
        f"@pytest.mark.kinesis({mark})\ndef test_{number}(kinesis): pass\n" for number, mark in enumerate(WRONG_MARKS)
    )
    result = run("import pytest\n" + "".join(tests))
    result.assert_outcomes(errors=len(WRONG_MARKS))
    for number, message in enumerate(WRONG_MARKS.values()):
        result.stdout.fnmatch_lines([f"*ERROR at setup of test_{number} *", f"*{message.replace('[', '[[]')}*"])


def test_faults_are_added_and_cleared_in_async_tests_too(run):
    """The service has a loop of its own, which a blocking call in the test's loop does not stop."""
    result = run(
        """
        import asyncio
        from aiobotocore.session import get_session
        from botocore.exceptions import ClientError
        import pytest

        async def client_code(kinesis, kinesis_faults):
            async with get_session().create_client("kinesis") as client:
                kinesis_faults.add("access-denied")
                with pytest.raises(ClientError, match="AccessDeniedException"):
                    await client.list_streams()
                kinesis_faults.clear()
                assert (await client.list_streams())["StreamNames"] == [kinesis.stream_name]
            assert kinesis_faults.hits == {"access-denied": 1}

        def test_without_a_plugin(kinesis, kinesis_faults):
            asyncio.run(client_code(kinesis, kinesis_faults))

        @pytest.mark.asyncio
        async def test_with_one(kinesis, kinesis_faults):
            await client_code(kinesis, kinesis_faults)
        """
    )
    result.assert_outcomes(passed=2)


def test_plain_and_async_handlers_are_invoked_and_stopped(run):
    result = run(
        """
        def put(kinesis, count):
            records = [{"Data": b"%d" % number, "PartitionKey": "k"} for number in range(count)]
            kinesis.call("PutRecords", StreamName=kinesis.stream_name, Records=records)

        def test_both(kinesis, event_source):
            plain, awaited = [], []

            def handler(event, context):
                plain.append(len(event["Records"]))

            async def async_handler(event, context):
                awaited.append(len(event["Records"]))

            sources = [event_source(handler, batch_size=4), event_source(async_handler)]
            put(kinesis, 10)
            for source in sources:
                source.drain()
                assert source.stats.records == 10
            assert sum(plain) == sum(awaited) == 10
            assert max(plain) == 4

        def test_a_failing_handler_ends_with_its_test(kinesis, event_source):
            def handler(event, context):
                raise ValueError("never")

            discarded = []
            source = event_source(handler, maximum_retry_attempts=1, on_failure=discarded.append)
            put(kinesis, 3)
            source.drain()
            assert [one["requestContext"]["condition"] for one in discarded] == ["RetryAttemptsExhausted"]
            put(kinesis, 3)
        """
    )
    result.assert_outcomes(passed=2)


def test_the_report_of_a_failure_shows_the_seed_and_the_hits(run):
    result = run(
        """
        import pytest

        @pytest.mark.kinesis(faults=["access-denied:rate=0.5"], seed=77)
        def test_it(kinesis, kinesis_faults):
            kinesis_faults.add("stall")
            assert False

        def test_of_another_maker(request):
            request.node.funcargs["kinesis"] = object()
            assert False
        """
    )
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        ["*- local Kinesis -*", "<BlockingKinesis truck-sensor-stream*", "*seed=77)*", "*faults={}*"]
    )


def test_its_import_loads_nothing_heavy():
    """Every run of pytest in an environment with truckstream imports the plugin."""
    code = (
        "import pytest, sys, json; before = set(sys.modules); import truckstream.pytest_plugin; "
        "json.dump(sorted(set(sys.modules) - before), sys.stdout)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == ["truckstream", "truckstream.pytest_plugin"]


def test_pytest_lists_the_fixtures_and_the_mark(pytester):
    listed = pytester.runpytest_subprocess("--fixtures")
    listed.stdout.fnmatch_lines_random(
        ["*fixtures defined from truckstream.pytest_plugin*", "kinesis *", "kinesis_faults *"]
    )
    pytester.runpytest_subprocess("--markers").stdout.fnmatch_lines(["@pytest.mark.kinesis(*"])
