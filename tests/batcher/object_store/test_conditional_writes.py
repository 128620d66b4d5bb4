"""A store that overwrites gets no data, and a store that is known not to overwrite need not prove it."""

import duckdb
import obstore.store
import pytest
from obstore.exceptions import GenericError

from tests.batcher.s3_stub import S3Stub
from tests.batcher.support import Small, number, numbers, small
from truckstream.batcher import Batcher
from truckstream.batcher.object_store.conditional_writes import PROBE_NAME, honours_conditions, possible_endpoints


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")


def batcher(url, store="s3://trucks", **options):
    options = {"region_name": "us-east-1", "schema": Small, "batch_size": 10} | options
    return Batcher(store, endpoint_url=url, **options)


async def test_a_store_that_overwrites_gets_no_data_and_the_error_names_the_remedy():
    s3 = S3Stub(overwrites=True)
    with s3.running() as url:
        function = batcher(url)
        for _ in range(2):
            result = await function.process(numbers(35))
            assert (result.first_failed, result.stored) == (number(0), 0)
    assert s3.objects == {}
    cause = result.causes[0]
    assert (cause.code, cause.retryable) == ("NoConditionalWrites", False)
    assert "has overwritten this object in spite of If-None-Match" in str(cause)
    assert "Update the store to a version with conditional writes" in str(cause)


async def test_a_store_that_overwrites_keeps_the_records_that_were_acknowledged_before():
    """An earlier program stored 20 records under the key. This event has 10 of them: it must not replace the object."""
    s3 = S3Stub()
    with s3.running() as url:
        await batcher(url, batch_size=20).process(numbers(20))
        before = dict(s3.objects)
        s3.overwrites = True
        result = await batcher(url).process(numbers(10))
    assert result.first_failed == number(0)
    assert s3.objects == before


async def test_a_store_is_proved_once_for_each_process_with_one_request():
    s3 = S3Stub()
    with s3.running() as url:
        for _ in range(2):
            warm = batcher(url)
            await warm.process(numbers(10))
            await warm.process([*numbers(20, 10), small(30, good=False)])
    first_process, next_process = s3.probes[:2], s3.probes[2:]
    assert (len(first_process), len(next_process)) == (2, 1)
    assert {path for path, _, _ in s3.probes} == {f"/trucks/sensor_data/{PROBE_NAME}"}
    assert {(body, headers["if-none-match"]) for _, body, headers in s3.probes} == {(b"", "*")}


@pytest.mark.parametrize(("prefix", "path"), [("a", "/trucks/a"), ("/lake/raw/", "/trucks/lake/raw")])
async def test_the_object_of_the_proof_lies_below_the_prefix(prefix, path):
    s3 = S3Stub()
    with s3.running() as url:
        await batcher(url, prefix=prefix).process(numbers(1))
    assert s3.probes[0][0] == f"{path}/{PROBE_NAME}"


async def test_a_store_of_the_users_own_must_prove_it_too():
    s3 = S3Stub(overwrites=True)
    with s3.running() as url:
        store = obstore.store.S3Store(
            "trucks", endpoint=url, region="us-east-1", client_options={"allow_http": True}, skip_signature=True
        )
        result = await Batcher(store, schema=Small).process(numbers(3))
    assert [cause.code for cause in result.causes] == ["NoConditionalWrites"]


async def test_a_proof_that_fails_for_another_reason_is_repeated_by_the_next_call():
    s3 = S3Stub()
    s3.probe_script = [403]
    with s3.running() as url:
        function = batcher(url)
        failed = await function.process(numbers(3))
        assert (await function.process(numbers(3))).stored == 3
    assert failed.causes[0].code == "403 Forbidden"
    assert PROBE_NAME in str(failed.causes[0])


async def test_after_a_lost_response_the_same_proof_finds_its_own_object():
    s3 = S3Stub()
    s3.probe_script = [503]
    with s3.running() as url:
        assert (await batcher(url).process(numbers(3))).stored == 3
    assert len(s3.probes) == 2


async def test_the_endpoint_of_the_call_counts_more_than_that_of_the_environment(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    s3 = S3Stub()
    with s3.running() as url:
        assert (await batcher(url).process(numbers(3))).stored == 3


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://s3.eu-west-1.amazonaws.com",
        "https://s3.dualstack.us-east-1.amazonaws.com",
        "https://s3-fips.us-gov-west-1.amazonaws.com/",
        "https://s3.cn-north-1.amazonaws.com.cn",
        "https://bucket.vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com",
        "https://s3.eusc-de-east-1.amazonaws.eu:443",
    ],
)
def test_the_endpoints_of_aws_are_known(endpoint):
    assert honours_conditions(endpoint)


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://127.0.0.1:9000",
        "https://minio.example.com",
        "https://amazonaws.com.example.com",
        "https://notamazonaws.com",
        "https://s3-outposts.us-east-1.amazonaws.com",
        "",
        "nonsense",
    ],
)
def test_other_endpoints_are_not(endpoint):
    assert not honours_conditions(endpoint)


@pytest.mark.parametrize("config", [{}, {"endpoint": "http://option"}, {"endpoint_url_s3": "http://call"}])
@pytest.mark.parametrize(
    "names", [(), ("AWS_ENDPOINT_URL",), ("AWS_ENDPOINT", "AWS_ENDPOINT_URL"), ("AWS_ENDPOINT_URL_S3",)]
)
def test_the_endpoint_is_the_one_that_obstore_uses(config, names, monkeypatch):
    """No request is sent, because http:// is not allowed without an option."""
    environment = {name: f"http://{name.lower().replace('_', '-')}" for name in names}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    store = obstore.store.S3Store(
        "b",
        region="us-east-1",
        skip_signature=True,
        retry_config={"max_retries": 0},
        **{f"aws_{name}": value for name, value in config.items()},
    )
    endpoints = possible_endpoints(store.config, environment)
    assert bool(endpoints) == bool(config or names)
    if endpoints:
        with pytest.raises(GenericError, match=f"PUT ({'|'.join(endpoints)})/b/key "):
            store.put("key", b"")


@pytest.mark.parametrize("pattern", ["*.json", "**"])
def test_a_reader_finds_no_record_in_the_object_of_the_proof(tmp_path, pattern):
    (tmp_path / "batch_2025-01-15T14-30-25_u5zsfrve.json").write_bytes(b'{"n":1}\n')
    (tmp_path / PROBE_NAME).write_bytes(b"")
    assert duckdb.sql(f"SELECT * FROM read_ndjson('{tmp_path}/{pattern}')").fetchall() == [(1,)]
