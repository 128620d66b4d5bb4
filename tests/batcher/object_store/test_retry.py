"""Transient failures of requests to S3 are retried; other failures are not."""

import asyncio
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from obstore.exceptions import AlreadyExistsError, GenericError

from tests.batcher.s3_stub import ErrorResponse, S3Stub
from tests.batcher.support import ScriptedStore, Small, number, numbers
from tests.virtual_time import run
from truckstream.batcher import Batcher
from truckstream.batcher.object_store.retry import StoreRetryPolicy
from truckstream.batcher.object_store.store import Store
from truckstream.errors import ConfigurationError, InvalidArgumentError, StoreError

# --- The rule ---------------------------------------------------------------------------------------


class Highest(Random):
    """Waits for as long as the policy allows."""

    def uniform(self, _, high):
        return high


def test_the_bound_of_the_wait_doubles_up_to_its_maximum():
    waits = [
        StoreRetryPolicy(9, base=0.1, longest=2.0).wait(failures, Highest(), got_response=True)
        for failures in range(1, 10)
    ]
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0, None]


def test_the_first_failure_without_a_response_is_retried_at_once():
    assert StoreRetryPolicy().wait(1, Random(1), got_response=False) == 0.0
    assert StoreRetryPolicy().wait(2, Random(1), got_response=False) > 0.0
    assert StoreRetryPolicy(attempts=1).wait(1, Random(1), got_response=False) is None


@given(st.integers(1, 100), st.integers(1, 10), st.randoms(use_true_random=False))
def test_waits_are_bounded_and_attempts_limited(failures, attempts, random):
    wait = StoreRetryPolicy(attempts).wait(failures, random, got_response=True)
    assert (wait is None) == (failures >= attempts)
    assert wait is None or 0 <= wait <= 5.0


# --- A conflict ------------------------------------------------------------------------------------


def conflicts(count):
    """Return a script of puts that conflict `count` times."""
    left = [AlreadyExistsError("Server returned non-2xx status code: 409 Conflict: <Error></Error>")] * count
    return lambda verb, _: left.pop() if verb == "put" and left else None


def test_after_a_conflict_the_store_is_asked_again_after_a_growing_wait():
    """Another request for the key was under way, and a request at once would meet it again."""
    store = ScriptedStore(conflicts(4))

    async def main():
        created = await Store(store, StoreRetryPolicy(), Highest()).create("key", b"body", {})
        return created, asyncio.get_running_loop().time()

    created, now = run(main())
    assert (created, now) == (True, pytest.approx(0.1 + 0.2 + 0.4 + 0.8))
    assert [verb for verb, _ in store.calls] == ["put"] * 5


def test_a_store_that_retries_by_itself_is_asked_again_after_a_conflict_only():
    """A store of the user's may retry, but no store of obstore does so after a 409."""
    store = ScriptedStore(conflicts(2))
    assert run(Store(store, random=Highest()).create("key", b"body", {}))
    failing = ScriptedStore(lambda *_: GenericError("Server returned non-2xx status code: 503 Slow Down: "))
    with pytest.raises(StoreError):
        run(Store(failing).create("key", b"body", {}))
    assert len(failing.calls) == 1


# --- On the wire --------------------------------------------------------------------------------------


@pytest.fixture
def s3(monkeypatch):
    for name, value in (("AWS_ACCESS_KEY_ID", "testing"), ("AWS_SECRET_ACCESS_KEY", "testing")):
        monkeypatch.setenv(name, value)
    stub = S3Stub()
    with stub.running() as stub.url:
        yield stub


def batcher(s3, **options):
    return Batcher(
        "s3://trucks", region_name="us-east-1", endpoint_url=s3.url, **{"schema": Small, "batch_size": 10} | options
    )


def verbs(s3):
    return [verb for verb, *_ in s3.requests]


@pytest.mark.parametrize("script", [[503], [500, 503, 502], ["reset"], ["reset", "reset"], [400], [429, "reset", 503]])
async def test_a_transient_failure_is_retried_until_the_object_is_stored(s3, script):
    s3.script = list(script)
    result = await batcher(s3).process(numbers(10))
    assert (result.stored, [each.outcome for each in result.objects]) == (10, ["created"])
    assert verbs(s3) == ["PUT"] * (len(script) + 1)
    assert len(s3.objects) == 1


@pytest.mark.parametrize(
    "error",
    [
        ErrorResponse(400, "RequestTimeout"),
        ErrorResponse(400, "IncompleteBody"),
        ErrorResponse(400, "BadDigest"),
        ErrorResponse(400, "ThrottlingException", "Rate exceeded"),
        ErrorResponse(400, "KMS.ThrottlingException", "You have exceeded the rate at which you may call KMS."),
        ErrorResponse(503, "SlowDown", "Please reduce your request rate."),
        ErrorResponse(503, "ServiceUnavailable"),
        ErrorResponse(500, "InternalError"),
        ErrorResponse(307, "TemporaryRedirect", headers={"Location": "http://127.0.0.1:9/"}),
        ErrorResponse(409, "ConditionalRequestConflict"),
        ErrorResponse(409, "OperationAborted"),
    ],
    ids=lambda error: error.code,
)
async def test_an_error_of_s3_that_passes_is_retried_within_the_call(s3, error):
    s3.script = [error, error]
    result = await batcher(s3).process(numbers(10))
    assert [each.outcome for each in result.objects] == ["created"]
    assert verbs(s3) == ["PUT"] * 3


@pytest.mark.parametrize(
    "error",
    [
        ErrorResponse(400, "ExpiredToken"),
        ErrorResponse(400, "KMS.DisabledException"),
        ErrorResponse(400, "AuthorizationHeaderMalformed"),
        ErrorResponse(301, "PermanentRedirect"),
        ErrorResponse(403, "AccessDenied"),
        ErrorResponse(404, "NoSuchBucket"),
        ErrorResponse(405, "MethodNotAllowed"),
        ErrorResponse(501, "NotImplemented"),
    ],
    ids=lambda error: error.code,
)
async def test_an_error_of_s3_that_lasts_is_not_retried(s3, error):
    s3.script = [error, error, error]
    result = await batcher(s3).process(numbers(10))
    assert result.first_failed == number(0)
    assert not result.causes[0].retryable
    assert verbs(s3) == ["PUT", "HEAD"]


async def test_a_conflict_that_lasts_is_reported_and_never_taken_for_an_existing_object(s3):
    s3.script = [ErrorResponse(409, "ConditionalRequestConflict", "A conflicting operation")] * 4
    result = await batcher(s3, max_attempts=3).process(numbers(10))
    assert result.first_failed == number(0)
    assert result.causes[0].code == "ConditionalRequestConflict"
    assert verbs(s3).count("PUT") == 3


@pytest.mark.parametrize("script", [["lost"], [503, "lost"], ["lost", 503]])
async def test_after_a_lost_response_the_same_call_finds_the_object(s3, script):
    s3.script = list(script)
    result = await batcher(s3).process(numbers(10))
    assert (result.stored, [each.outcome for each in result.objects]) == (10, ["already there"])
    assert len(s3.objects) == 1


async def test_a_connection_that_stalls_is_replaced(s3):
    s3.script = ["stall"]
    result = await batcher(s3, store_options={"client_options": {"timeout": "200ms"}}).process(numbers(10))
    assert result.stored == 10
    assert len({port for *_, port in s3.requests}) == 2


async def test_an_idle_connection_that_was_reset_is_replaced(s3):
    """The service may close a connection while the function is frozen."""
    s3.script = ["die"]
    warm = batcher(s3)
    await warm.process(numbers(10))
    assert (await warm.process(numbers(10, 10))).stored == 10
    assert len({port for *_, port in s3.requests}) == 2
    assert len(s3.objects) == 2


async def test_connections_are_reused(s3):
    """The client opens another connection if the last one is not yet back in its pool, so there may be a few."""
    warm = batcher(s3)
    for n in range(20):
        await warm.process(numbers(10, 10 * n))
    assert len({port for *_, port in s3.requests}) <= 5


async def test_the_number_of_requests_to_a_failing_store_is_limited(s3):
    s3.script = [503] * 50
    result = await batcher(s3, max_attempts=3).process(numbers(10))
    assert result.first_failed == number(0)
    assert "503 Service Unavailable" in str(result.causes[0])
    # Three for the object, and three to look up whether the key is free.
    assert (verbs(s3).count("PUT"), len(s3.requests)) == (3, 6)


async def test_a_lookup_is_retried_too(s3):
    await batcher(s3).process(numbers(10))
    s3.script = [None, 503, 500]
    result = await batcher(s3).process(numbers(10))
    assert [each.outcome for each in result.objects] == ["already there"]


async def test_a_put_has_a_checksum_and_never_overwrites(s3):
    await batcher(s3, format="json", compression="gzip").process(numbers(10))
    ((_, _, headers, _),) = s3.requests
    assert headers["if-none-match"] == "*"
    assert headers["x-amz-checksum-sha256"]
    assert headers["content-type"] == "application/gzip"
    assert "content-encoding" not in headers
    assert headers["x-amz-meta-first-sequence-number"] == number(0)
    assert not [name for name in headers if "encryption" in name]


@pytest.mark.parametrize(
    ("options", "algorithm", "key", "bucket_key"),
    [
        ({"encryption": "AES256"}, "AES256", None, None),
        ({"encryption": "aws:kms"}, "aws:kms", None, "true"),
        ({"kms_key_id": "alias/trucks"}, "aws:kms", "alias/trucks", "true"),
        ({"encryption": "aws:kms:dsse", "kms_key_id": "k"}, "aws:kms:dsse", "k", None),
    ],
)
async def test_a_put_requests_the_encryption_and_its_key(s3, options, algorithm, key, bucket_key):
    await batcher(s3, **options).process(numbers(1))
    ((_, _, headers, _),) = s3.requests
    prefix = "x-amz-server-side-encryption"
    assert headers[prefix] == algorithm
    assert headers.get(f"{prefix}-aws-kms-key-id") == key
    assert headers.get(f"{prefix}-bucket-key-enabled") == bucket_key


@pytest.mark.parametrize(
    ("url", "options", "message"),
    [
        ("s3://trucks", {"encryption": "rot13"}, "AES256, aws:kms"),
        ("s3://trucks", {"encryption": "AES256", "kms_key_id": "k"}, "kms_key_id is set with AES256"),
        ("memory:///", {"encryption": "AES256"}, "Only S3 encrypts"),
    ],
)
def test_invalid_encryption_is_rejected(url, options, message):
    with pytest.raises(ConfigurationError, match=message):
        Batcher(url, **options)


def test_zero_attempts_are_rejected():
    with pytest.raises(InvalidArgumentError, match="max_attempts"):
        Batcher("memory:///", max_attempts=0)
