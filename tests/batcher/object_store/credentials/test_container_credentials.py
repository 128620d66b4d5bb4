"""Credentials for S3 from a URL in the environment: which URL is asked, and which answers count."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.credential_server import CredentialServer
from truckstream.batcher import Batcher
from truckstream.batcher.object_store.credentials.container_credentials import ContainerCredentials
from truckstream.errors import ConfigurationError

URI = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
TOKEN = "AWS_CONTAINER_AUTHORIZATION_TOKEN"


@pytest.fixture
async def server():
    async with CredentialServer("a token") as server:
        yield server


async def fetched(server, **variables):
    """Return the credentials; the provider blocks, and the server runs on this loop."""
    provider = ContainerCredentials({URI: server.url, TOKEN: "a token", **variables})
    return await asyncio.to_thread(provider)


async def test_the_credentials_are_those_of_the_server(server):
    found = await fetched(server)
    expires = found.pop("expires_at")
    assert found == {"access_key_id": "ASIA0001", "secret_access_key": "secret", "token": "session-1"}
    assert abs(expires - datetime.now(UTC) - timedelta(hours=1)) < timedelta(minutes=5)


async def test_a_token_file_comes_before_the_token(server, tmp_path):
    (tmp_path / "token").write_text("a token\n")
    found = await fetched(server, **{TOKEN: "x", f"{TOKEN}_FILE": str(tmp_path / "token")})
    assert found["access_key_id"] == "ASIA0001"


@pytest.mark.parametrize("broken", [None, b"", b"{}", b"<html>"])
async def test_a_broken_answer_is_asked_for_again(server, broken):
    server.instead = [broken, broken]
    assert (await fetched(server))["access_key_id"] == "ASIA0001"


@pytest.mark.parametrize(
    ("broken", "words"),
    [(None, "status 503"), (b"{}", "missing required field `AccessKeyId`"), (b"<html>", "JSON is malformed")],
)
async def test_three_broken_answers_are_an_error(server, broken, words):
    server.instead = [broken] * 3
    with pytest.raises(OSError, match=f"127.0.0.1 returned no credentials: .*{words}.* Check {URI}"):
        await fetched(server)


async def test_a_missing_token_file_is_an_error_that_names_it(server, tmp_path):
    with pytest.raises(OSError, match="no-token"):
        await fetched(server, **{f"{TOKEN}_FILE": str(tmp_path / "no-token")})


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:9001/c",
        "http://127.0.0.1/c",
        "http://[::1]:80/c?d=e",
        "http://169.254.170.2/c",
        "http://169.254.170.23/c",
        "http://[fd00:ec2::23]/c",
        "https://credentials.example.com/c",
    ],
)
def test_a_url_that_the_sdks_accept_is_accepted(url):
    assert ContainerCredentials.find({URI: url})


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://credentials.example.com/c", "Over http:// the host must be this machine or one of 169.254.170.2,"),
        ("http://169.254.169.254/c", "Over http://"),
        ("http://10.0.0.1/c", "Over http://"),
        ("ftp://127.0.0.1/c", "Set it to an http:// or https:// URL"),
        ("/c", "Set it to an http:// or https:// URL"),
    ],
)
def test_another_url_is_rejected_when_the_store_is_opened(url, words, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.setenv(URI, url)
    with pytest.raises(ConfigurationError, match=f"{URI} is '{url}'.*{words}"):
        Batcher("s3://bucket")
    Batcher("s3://bucket", store_options={"access_key_id": "x", "secret_access_key": "y"})
    Batcher("s3://bucket", store_options={"skip_signature": True})


@pytest.mark.parametrize(
    "first", ["AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]
)
def test_other_sources_come_first(first):
    assert ContainerCredentials.find({URI: "http://127.0.0.1/c", first: "x"}) is None
    assert ContainerCredentials.find({first: "x"}) is None
