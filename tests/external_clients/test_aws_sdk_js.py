"""The AWS SDK for JavaScript v3. It sends JSON, by default over HTTP/2."""

import pytest

from tests.external_clients.installation import npm_with, or_skipped, tool

PACKAGES = ("@aws-sdk/client-kinesis@3.1143.0", "@smithy/node-http-handler@4.14.2")


@pytest.mark.parametrize("protocol", ["http1", "http2"])
def test_it_creates_splits_reads_and_deletes_a_stream(server, protocol):
    with or_skipped("the AWS SDK for JavaScript"):
        modules, node = npm_with(*PACKAGES) / "node_modules", tool("node")
    program = server.program("aws_sdk_js.cjs")
    seen = server.run(node, program, server.new_name(), protocol, NODE_PATH=str(modules)).json
    parent, low, high = "shardId-000000000000", "shardId-000000000001", "shardId-000000000002"
    assert seen["types"] == ["application/x-amz-json-1.1"]
    assert seen["failed"] == 0
    assert seen["shards"] == [[parent, None], [low, parent], [high, parent]]
    assert seen["records"] == [[bytes(range(256)).hex(), "clé"], ["é".encode().hex(), "clé"]]
    assert seen["sequenceNumbers"][0] == seen["sequenceNumbers"][1]
    assert seen["arrivedInThisMinute"]
    assert (seen["children"], seen["ended"]) == ([low, high], True)
    assert seen["error"] == [True, "Stream nobody under account 000000000000 not found.", 400]
