"""Requests to a host of AWS are signed with the session's keys."""

import hashlib

import pytest

from tests.search.fake_opensearch import fake_opensearch
from truckstream.errors import ConfigurationError, SearchError
from truckstream.search import OpenSearchSink
from truckstream.search.indexing.documents import Document
from truckstream.search.opensearch import client
from truckstream.search.opensearch.client import OpenSearchClient, OpenSearchOptions
from truckstream.search.opensearch.credentials import AwsHost, aws_host

DOCUMENT = Document("truckstream-2025.01.15", "1", b"{}", 0.0)


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("search-x-1.us-east-1.es.amazonaws.com", AwsHost("us-east-1", "es")),
        ("abc.eu-central-1.aoss.amazonaws.com", AwsHost("eu-central-1", "aoss")),
        ("x.cn-north-1.es.amazonaws.com.cn", AwsHost("cn-north-1", "es")),
        ("search.example.com", None),
        ("x.us-east-1.es.amazonaws.com.example.com", None),
        ("127.0.0.1", None),
    ],
)
def test_a_host_names_its_region_and_service(host, found):
    assert aws_host(host) == found


@pytest.fixture
def as_serverless(monkeypatch):
    """Take the fake for a collection."""
    monkeypatch.setattr(client, "aws_host", lambda _: AwsHost("us-east-1", "aoss"))


@pytest.mark.usefixtures("fake_credentials", "as_serverless")
async def test_a_request_is_signed_with_its_body():
    async with fake_opensearch() as fake, OpenSearchClient(fake.url, OpenSearchOptions()) as calls:
        response = await calls.bulk(DOCUMENT.lines)
        assert response["errors"] is False
        headers = {name.lower(): value for name, value in fake.headers[0].items()}
    scheme, credential = headers["authorization"].split(" Credential=")
    assert scheme == "AWS4-HMAC-SHA256"
    assert credential.startswith("testing/")
    assert "/us-east-1/aoss/aws4_request" in credential
    assert headers["x-amz-content-sha256"] == hashlib.sha256(DOCUMENT.lines).hexdigest()
    assert "x-amz-content-sha256" in credential


@pytest.mark.usefixtures("as_serverless")
async def test_without_credentials_nothing_is_retried(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    async with fake_opensearch() as fake:
        sink = OpenSearchSink(fake.url, create_templates=False)
        with pytest.raises(SearchError, match="Unable to locate credentials"):
            await sink._writer.write([DOCUMENT])
        await sink.close()
        assert fake.bulks == []


@pytest.mark.usefixtures("fake_credentials", "as_serverless")
async def test_serverless_has_no_policies_for_indexes():
    async with fake_opensearch() as fake:
        sink = OpenSearchSink(fake.url, keep_days=30)
        with pytest.raises(ConfigurationError, match="keep_days is set, and OpenSearch Serverless has no policies"):
            await sink.open()
        await sink.close()
        assert fake.templates == {}
