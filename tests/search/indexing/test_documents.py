"""Documents of records: their sources, IDs and indexes."""

import json

import msgspec

from truckstream.batcher.formats.stream_fields import Places
from truckstream.search.indexing.documents import Document, record_documents, rejected_document, rejected_documents
from truckstream.search.indexing.index_template import index_templates, lifecycle_policy
from truckstream.search.opensearch.failures import OpenSearchFailure, failure_of_item

PLACES = Places(
    "shardId-000000000001", ["49", "49", "50"], [0, 1, None], [1736951425.001, 1736951425.001, 1736985600.0]
)


def test_a_document_has_the_record_and_its_place():
    first, second, third = record_documents("trucks", "stream", [b'{"a":1.50}', b"{}", b'{"a":2}'], PLACES)
    assert first == Document(
        "trucks-2025.01.15",
        "stream:shardId-000000000001:49:0",
        b'{"a":1.50,"kinesis_sequence_number":"49","kinesis_subsequence_number":0,'
        b'"kinesis_shard_id":"shardId-000000000001","kinesis_arrival_time":"2025-01-15 14:30:25.001"}',
        1736951425.001,
    )
    assert json.loads(second.source)["kinesis_subsequence_number"] == 1
    assert (third.index, third.id) == ("trucks-2025.01.16", "stream:shardId-000000000001:50")


def test_a_rejected_record_is_in_an_index_of_its_own():
    [document] = rejected_documents("trucks", "s", [b'{"reason":"x"}'], Places("shard", ["7"], None, [0.0]))
    assert document == Document("rejected-trucks-1970.01.01", "s:shard:7", b'{"reason":"x"}', 0.0)


def test_a_document_that_opensearch_rejects_keeps_its_source_and_the_reason():
    failure = OpenSearchFailure(400, "mapper_parsing_exception", "failed to parse")
    for name, numbers in (
        ("s:shard:7", {"sequence_number": "7"}),
        ("s:shard:7:2", {"sequence_number": "7", "subsequence_number": 2}),
    ):
        rejected = rejected_document(Document("trucks-1970.01.01", name, b'{"a":"\xff"}', 3.5), failure)
        assert (rejected.index, rejected.id) == ("rejected-trucks-1970.01.01", name)
        assert json.loads(rejected.source) == {
            "reason": "mapper_parsing_exception",
            "rule": "failed to parse",
            "stream": "s",
            "shard": "shard",
            **numbers,
            "arrival": 3.5,
            "data": '{"a":"\\xff"}',
        }


def test_of_a_document_that_is_too_large_the_beginning_is_kept():
    rejected = rejected_document(
        Document("t-1", "s:h:7", b"x" * 1_000_000, 0.0), OpenSearchFailure(413, "HTTP 413", "too large")
    )
    assert json.loads(rejected.source)["data"] == "x" * 10_000


def test_the_reason_of_a_failed_document_includes_its_cause():
    error = {
        "type": "mapper_parsing_exception",
        "reason": "failed to parse field [speed]",
        "caused_by": {"reason": "no number"},
    }
    assert failure_of_item({"status": 400, "error": error}).reason == "failed to parse field [speed]: no number"
    assert failure_of_item({"status": 429, "error": "busy"}) == OpenSearchFailure(429, "unknown_error", "busy")


def test_the_template_maps_each_field_of_the_schema():
    schema = msgspec.defstruct(
        "Reading", [("name", str), ("heat", float), ("count", int | None), ("is_on", bool), ("tags", list[str])]
    )
    template = index_templates("trucks", schema, shards=2, replicas=0)["trucks"]
    assert template["index_patterns"] == ["trucks-*"]
    assert template["template"]["settings"] == {"index": {"number_of_shards": 2, "number_of_replicas": 0}}
    mappings = template["template"]["mappings"]
    assert mappings["dynamic"] is False
    assert {name: each["type"] for name, each in mappings["properties"].items()} == {
        "name": "keyword",
        "heat": "double",
        "count": "long",
        "is_on": "boolean",
        "kinesis_sequence_number": "keyword",
        "kinesis_subsequence_number": "long",
        "kinesis_shard_id": "keyword",
        "kinesis_arrival_time": "date",
    }


def test_rejected_records_have_a_template_that_no_search_of_records_matches():
    templates = index_templates("trucks", msgspec.defstruct("R", [("a", int)]))
    assert templates["rejected-trucks"]["index_patterns"] == ["rejected-trucks-*"]
    assert "number_of_replicas" not in templates["trucks"]["template"]["settings"]["index"]


def test_the_policy_deletes_old_indexes_of_both_kinds():
    policy = lifecycle_policy("trucks", 30)["policy"]
    kept, deleted = policy["states"]
    assert policy["default_state"] == kept["name"]
    assert kept["transitions"] == [{"state_name": "deleted", "conditions": {"min_index_age": "30d"}}]
    assert deleted["actions"] == [{"delete": {}}]
    assert policy["ism_template"][0]["index_patterns"] == ["trucks-*", "rejected-trucks-*"]
