"""The AWS SDK for Java 2.x, which uses CBOR over HTTP/2 by default."""

import pytest

from tests.external_clients.installation import or_skipped
from tests.external_clients.kcl_worker import java_with_sdk

JSON, CBOR = "application/x-amz-json-1.1", "application/x-amz-cbor-1.1"


@pytest.fixture(scope="module")
def java():
    """The command that runs a Java program with the SDK on its class path."""
    with or_skipped("the AWS SDK for Java"):
        return java_with_sdk()


@pytest.mark.parametrize(("content_type", "protocol"), [(CBOR, "http2"), (JSON, "http1")])
def test_it_creates_splits_reads_and_deletes_a_stream(server, java, content_type, protocol):
    encoding = f"-Daws.cborEnabled={str(content_type == CBOR).lower()}"
    program = server.program("AwsSdkJava.java")
    answer = server.run(*java, encoding, program, server.new_name(), server.endpoint_url, protocol)
    assert answer.status == 0, answer.err
    seen = dict(line.split("=", 1) for line in answer.out.splitlines())
    parent, low, high = "shardId-000000000000", "shardId-000000000001", "shardId-000000000002"
    assert seen["types"] == f"[{content_type}]"
    assert seen["failed"] == "0"
    ended = seen[parent].removeprefix("null/")
    assert ended.isdecimal()
    assert seen[low] == seen[high] == f"{parent}/null"
    assert seen["records"] == seen["since"] == f"{bytes(range(256)).hex()}/clé,/k"
    assert (seen["children"], seen["ended"]) == (f"{low},{high}", "true")
    assert (seen["arrivedInThisMinute"], seen["createdInThisMinute"]) == ("true", "true")
    assert seen["error"] == "Stream nobody under account 000000000000 not found."
