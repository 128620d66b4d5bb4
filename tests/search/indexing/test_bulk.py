"""A bulk request: what is sent when, and what becomes of its documents."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truckstream.errors import SearchError
from truckstream.search.indexing.bulk import CAP_SECONDS, Bulk, requests_of
from truckstream.search.indexing.documents import Document
from truckstream.search.opensearch.failures import DOCUMENT_ERRORS, OpenSearchFailure

BUSY = OpenSearchFailure(429, "es_rejected_execution_exception", "busy")


def documents(count):
    return [Document("trucks-2025.01.15", str(at), b"{}", 0.0) for at in range(count)]


def bulk_of(count, seed=1):
    return Bulk(documents(count), Random(seed))


def ids(bulk):
    return [line.split(b'"')[9].decode() for line in bulk.body().splitlines()[::2]]


def response(*statuses, kind="mapper_parsing_exception"):
    items = [
        {"index": {"status": status} | ({} if status < 300 else {"error": {"type": kind, "reason": "why"}})}
        for status in statuses
    ]
    return {"errors": any(status >= 300 for status in statuses), "items": items}


def test_a_body_has_two_lines_for_each_document():
    assert bulk_of(2).body() == (
        b'{"index":{"_index":"trucks-2025.01.15","_id":"0"}}\n{}\n{"index":{"_index":"trucks-2025.01.15","_id":"1"}}\n{}\n'
    )


def test_a_request_without_errors_is_done():
    bulk = bulk_of(3)
    bulk.on_response({"errors": False, "items": []}, 0.0)
    assert (bulk.is_done, bulk.stored, bulk.set_aside) == (True, 3, [])


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_only_the_documents_that_were_refused_for_the_moment_are_sent_again(status):
    bulk = bulk_of(4)
    bulk.on_response(response(201, status, 200, status), 10.0)
    assert (bulk.is_done, bulk.stored, ids(bulk)) == (False, 2, ["1", "3"])
    assert 10.0 <= bulk.due <= 10.5
    bulk.on_response(response(201, 201), bulk.due)
    assert (bulk.is_done, bulk.stored) == (True, 4)


@pytest.mark.parametrize("kind", sorted(DOCUMENT_ERRORS))
def test_a_document_that_breaks_the_mapping_is_set_aside(kind):
    bulk = bulk_of(3)
    bulk.on_response(response(201, 400, 201, kind=kind), 0.0)
    assert (bulk.is_done, bulk.stored) == (True, 2)
    assert [(each.document.id, each.failure.code, each.failure.reason) for each in bulk.set_aside] == [
        ("1", kind, "why")
    ]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "validation_exception"),
        (403, "security_exception"),
        (403, "cluster_block_exception"),
        (404, "index_not_found_exception"),
    ],
)
def test_a_failure_that_all_documents_would_share_is_an_error(status, kind):
    with pytest.raises(SearchError, match=kind):
        bulk_of(2).on_response(response(201, status, kind=kind), 0.0)


@pytest.mark.parametrize(
    "failure", [BUSY, OpenSearchFailure(0, "ConnectionError", "reset"), OpenSearchFailure(503, "HTTP 503", "")]
)
def test_a_request_that_failed_for_the_moment_is_sent_again(failure):
    bulk = bulk_of(2)
    bulk.on_failure(failure, 5.0)
    assert ids(bulk) == ["0", "1"]
    assert bulk.due >= 5.0


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_request_that_would_always_fail_is_an_error(status):
    with pytest.raises(SearchError, match="security_exception: no permissions"):
        bulk_of(2).on_failure(OpenSearchFailure(status, "security_exception", "no permissions"), 0.0)


def test_a_request_that_is_too_large_is_sent_in_halves():
    bulk = bulk_of(3)
    too_large = OpenSearchFailure(413, "HTTP 413", "Request Entity Too Large")
    bulk.on_failure(too_large, 0.0)
    assert ids(bulk) == ["0"]
    bulk.on_response(response(201), 0.0)
    assert ids(bulk) == ["1", "2"]
    bulk.on_failure(too_large, 0.0)
    bulk.on_failure(too_large, 0.0)
    bulk.on_response(response(201), 0.0)
    assert (bulk.is_done, bulk.stored) == (True, 2)
    assert [(each.document.id, each.failure) for each in bulk.set_aside] == [("1", too_large)]


def test_a_response_that_does_not_fit_the_request_proves_nothing():
    bulk = bulk_of(2)
    bulk.on_response({"errors": True, "items": [{"index": {"status": 201}}]}, 0.0)
    assert (bulk.stored, ids(bulk)) == (0, ["0", "1"])


def test_waits_double_up_to_half_a_minute_and_begin_again_after_progress():
    class Longest(Random):
        def uniform(self, *bounds):
            return bounds[1]

    bulk = Bulk(documents(2), Longest())
    waits = []
    for _ in range(8):
        bulk.on_failure(BUSY, 0.0)
        waits.append(bulk.due)
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, CAP_SECONDS, CAP_SECONDS]
    bulk.on_response(response(201, 429), 0.0)
    assert bulk.due == 0.5


def test_a_wait_is_random():
    dues = set()
    for seed in range(10):
        bulk = bulk_of(1, seed)
        bulk.on_failure(BUSY, 0.0)
        dues.add(bulk.due)
    assert len(dues) == 10


@given(st.lists(st.integers(0, 50), max_size=30), st.integers(1, 10), st.integers(1, 500))
def test_requests_have_every_document_once_and_keep_their_limits(sizes, most, most_bytes):
    made = [Document("i", str(at), b"x" * size, 0.0) for at, size in enumerate(sizes)]
    requests = list(requests_of(iter(made), most, most_bytes))
    assert [each for request in requests for each in request] == made
    for request in requests:
        assert 1 <= len(request) <= most
        assert len(request) == 1 or sum(each.size for each in request) <= most_bytes


def test_the_size_of_a_document_is_no_less_than_its_lines():
    document = Document("trucks-2025.01.15", "trucks:shardId-000000000000:49:3", b'{"a":1}', 0.0)
    assert len(document.lines) <= document.size
