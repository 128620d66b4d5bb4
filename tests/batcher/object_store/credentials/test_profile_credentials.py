"""Credentials and region from the files of the AWS configuration, as `aws configure` writes them."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import UnauthorizedSSOTokenError

from truckstream.batcher.object_store.credentials.profile_credentials import ProfileCredentials, profile_options
from truckstream.batcher.object_store.open_store import open_store
from truckstream.errors import ConfigurationError, StoreError

CREDENTIALS = """
[default]
aws_access_key_id = AKIDEFAULT
aws_secret_access_key = s1
[work]
aws_access_key_id = AKIWORK
aws_secret_access_key = s2
aws_session_token = t2
"""
CONFIG = """
[profile work]
region = eu-central-1
[profile helper]
credential_process = {python} {program}
"""


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    """A home with two files, and no other source of credentials."""
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE", "REGION", "DEFAULT_REGION"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / ".aws"
    folder.mkdir()
    (folder / "credentials").write_text(CREDENTIALS)
    (folder / "config").write_text(CONFIG.format(python=sys.executable, program=tmp_path / "helper.py"))
    return folder


def credentials(environment):
    found = profile_options(environment)["credential_provider"]()
    assert timedelta(minutes=5) < found.pop("expires_at") - datetime.now(UTC) <= timedelta(minutes=10)
    return found


def test_the_default_profile_counts_without_a_name():
    assert credentials({}) == {"access_key_id": "AKIDEFAULT", "secret_access_key": "s1", "token": None}


def test_a_profile_has_a_region(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "work")
    environment = {"AWS_PROFILE": "work"}
    assert credentials(environment) == {"access_key_id": "AKIWORK", "secret_access_key": "s2", "token": "t2"}
    assert profile_options(environment)["region"] == "eu-central-1"
    assert "region" not in profile_options({**environment, "AWS_REGION": "us-east-1"})


def test_keys_in_the_environment_come_first():
    assert profile_options({"AWS_PROFILE": "work", "AWS_ACCESS_KEY_ID": "AKI"}) == {}


def test_without_a_configuration_botocore_is_not_loaded(files, monkeypatch):
    for each in files.iterdir():
        each.unlink()
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    assert profile_options({}) == {}


def test_without_botocore_obstore_looks_for_itself(monkeypatch):
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    assert profile_options({}) == {}


def test_an_unknown_profile_is_named(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(ConfigurationError, match=r"AWS_PROFILE is unknown .*nobody"):
        open_store("s3://trucks", prefix="")


def test_a_broken_file_is_named(files):
    (files / "config").write_text("[profile")
    with pytest.raises(ConfigurationError, match=r"the AWS configuration cannot be used: .*config"):
        open_store("s3://trucks", prefix="")


@pytest.mark.parametrize("named", [{"access_key_id": "AKI", "secret_access_key": "s"}, {"skip_signature": True}])
def test_options_of_obstore_that_name_credentials_come_first(named):
    store = open_store("s3://trucks", prefix="", options=named)
    assert store._store._store.credential_provider is None


def test_a_region_that_was_passed_comes_first(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "work")
    assert open_store("s3://trucks", prefix="")._store._store.config["region"] == "eu-central-1"
    assert open_store("s3://trucks", prefix="", region_name="us-west-2")._store._store.config["region"] == "us-west-2"
    given = open_store("s3://trucks", prefix="", options={"aws_region": "us-west-2"})
    assert given._store._store.config["region"] == "us-west-2"


async def test_requests_are_signed_with_them(s3_store, monkeypatch, tmp_path):
    """The helper is a program that prints keys, as those of companies do."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.delenv(name)
    expires = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    keys = {"Version": 1, "AccessKeyId": "AKIHELPER", "SecretAccessKey": "s3", "Expiration": expires}
    (tmp_path / "helper.py").write_text(f"print({json.dumps(keys)!r})")
    monkeypatch.setenv("AWS_PROFILE", "helper")
    store = open_store(s3_store.url, prefix="", endpoint_url=s3_store.endpoint_url)
    assert await store.create("a", b"x", {})
    assert s3_store.objects()["a"] == b"x"


def test_a_helper_that_fails_is_named(monkeypatch, tmp_path):
    (tmp_path / "helper.py").write_text("raise SystemExit('no network')")
    monkeypatch.setenv("AWS_PROFILE", "helper")
    with pytest.raises(ConfigurationError, match=r"cannot be used: .*no network. .*aws sso login"):
        open_store("s3://trucks", prefix="")


class ExpiredLogin:
    """Credentials of a session of single sign-on that has ended."""

    def get_frozen_credentials(self):
        raise UnauthorizedSSOTokenError


async def test_credentials_that_cannot_be_renewed_are_named():
    options = {"credential_provider": ProfileCredentials(ExpiredLogin())}
    store = open_store("s3://trucks", prefix="", endpoint_url="http://127.0.0.1:9", options=options, max_attempts=1)
    with pytest.raises(StoreError, match=r"no valid credentials: .*SSO session .* has expired"):
        await store.read("a")
