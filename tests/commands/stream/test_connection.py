"""A server on this machine needs neither region nor credentials; those of the user count where they are set."""

import os

import pytest

from truckstream.commands.stream.connection import StreamConnection
from truckstream.errors import ConfigurationError

LOCAL = "http://127.0.0.1:4567"


@pytest.fixture
def _nothing_set(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    names = ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE", "REGION", "DEFAULT_REGION")
    for name in (*(f"AWS_{name}" for name in names), "REGION", "region"):
        monkeypatch.setenv(name, "")  # so that it is restored
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.mark.usefixtures("_nothing_set")
async def test_a_server_on_this_machine_needs_no_settings():
    session = await StreamConnection(endpoint_url=LOCAL).session()
    keys = await session.get_credentials()
    assert (session.get_config_variable("region"), keys.access_key) == ("us-east-1", "local")


@pytest.mark.usefixtures("_nothing_set")
def test_a_bucket_on_this_machine_needs_no_settings():
    StreamConnection(endpoint_url="http://10.0.0.1:9000").exported_settings()
    assert "AWS_ACCESS_KEY_ID" not in os.environ
    StreamConnection(endpoint_url=LOCAL).exported_settings()
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")
    assert [os.environ[name] for name in names] == ["local", "local", "us-east-1"]


@pytest.mark.usefixtures("_nothing_set")
def test_for_a_bucket_credentials_and_region_of_the_user_count(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AK")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SK")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    StreamConnection(endpoint_url=LOCAL).exported_settings()
    assert (os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_DEFAULT_REGION"]) == ("AK", "eu-west-1")


@pytest.mark.usefixtures("_nothing_set")
async def test_another_server_gets_no_invented_credentials_and_needs_a_region():
    connection = StreamConnection(endpoint_url="http://10.0.0.1:4567")
    with pytest.raises(ConfigurationError, match=r"region is not set\. Pass --region"):
        await connection.session("trucks")
    with pytest.raises(ConfigurationError, match=r"credentials were not found\. Log in"):
        await connection.session("arn:aws:kinesis:eu-central-1:123456789012:stream/trucks")


@pytest.mark.usefixtures("_nothing_set")
async def test_half_of_the_credentials_is_an_error(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AK")
    with pytest.raises(ConfigurationError, match=r"credentials are incomplete .*AWS_SECRET_ACCESS_KEY"):
        await StreamConnection(region="us-east-1", endpoint_url="http://10.0.0.1:4567").session(
            "arn:aws:kinesis:us-east-1:123456789012:stream/trucks"
        )


@pytest.mark.usefixtures("_nothing_set")
@pytest.mark.parametrize("url", [None, LOCAL])
async def test_an_unknown_profile_is_named(monkeypatch, url):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(ConfigurationError, match=r"AWS_PROFILE is unknown .*nobody"):
        await StreamConnection(endpoint_url=url).session("trucks")


@pytest.mark.usefixtures("_nothing_set")
async def test_credentials_and_region_of_the_user_count(monkeypatch, tmp_path):
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text("[me]\naws_access_key_id = AK\naws_secret_access_key = SK\n")
    (tmp_path / ".aws" / "config").write_text("[profile me]\nregion = eu-west-1\n")
    monkeypatch.setenv("AWS_PROFILE", "me")
    session = await StreamConnection(endpoint_url=LOCAL).session()
    keys = await session.get_credentials()
    assert (session.get_config_variable("region"), keys.access_key) == ("eu-west-1", "AK")


@pytest.mark.usefixtures("_nothing_set")
async def test_the_region_of_an_arn_wins():
    arn = "arn:aws:kinesis:eu-central-1:123456789012:stream/trucks"
    async with await StreamConnection(region="us-east-1", endpoint_url=LOCAL).account(arn) as account:
        assert account.region == "eu-central-1"


def test_the_flags_are_those_that_were_given():
    assert StreamConnection().flags == ()
    assert StreamConnection("us-east-1", LOCAL).flags == ("--region", "us-east-1", "--endpoint-url", LOCAL)


@pytest.mark.usefixtures("_nothing_set")
def test_the_store_to_read_is_the_one_given_or_that_of_the_settings(monkeypatch):
    for name in ("STORE_URL", "BUCKET_NAME"):
        monkeypatch.delenv(name, raising=False)
    connection = StreamConnection()
    assert connection.store(None) is None
    monkeypatch.setenv("BUCKET_NAME", "lake")
    assert connection.store(None) == "s3://lake"
    monkeypatch.setenv("STORE_URL", "file:///data")
    assert connection.store(None) == "file:///data"
    assert connection.store("here") == "here"
