"""Endpoints, credentials, proxies and certificates are those of aiobotocore, in every way of setting them."""

import asyncio
import datetime as dt
import hashlib
import json
import ssl
import sys

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.credentials import AioRefreshableCredentials
from aiobotocore.session import AioSession, get_session
from botocore import UNSIGNED
from botocore.credentials import SSOProvider

from tests.kinesis.servers import error_response, http_response, proxying, serving
from tests.kinesis.support import RECORDS, client_of
from truckstream.errors import ConfigurationError
from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.kinesis.session.session_endpoint import SessionEndpoint
from truckstream.producer import Producer

pytestmark = pytest.mark.usefixtures("fake_credentials", "bare_environment")

NAME = {"StreamName": "trucks"}
ARN = {"StreamARN": "arn:aws:kinesis:us-east-1:123456789012:stream/trucks"}

#: The response of the token service for a role.
ROLE = b"""<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>%b</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""


async def url_of(operation="PutRecords", stream=NAME, *, session=None, endpoint_url=None, region_name="us-east-1"):
    gateway = SessionEndpoint(
        region_name=region_name, endpoint_url=endpoint_url, session=session, connections=1, request_timeout=1.0
    )
    await gateway.open()
    try:
        return (await gateway.template(operation, stream)).url
    finally:
        await gateway.close()


@pytest.fixture
def bare_environment(monkeypatch):
    """Unset all variables that these tests set."""
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def config_file(tmp_path, monkeypatch):
    """A function that writes the user's ~/.aws/config."""

    def write(text):
        (tmp_path / "config").write_text(text)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))

    return write


# --- Endpoints ------------------------------------------------------------------------------------


async def test_the_regions_own_endpoint():
    assert await url_of() == "https://kinesis.us-east-1.amazonaws.com/"
    assert await url_of(region_name="cn-north-1") == "https://kinesis.cn-north-1.amazonaws.com.cn/"


async def test_a_stream_named_by_its_arn_has_endpoints_of_its_account():
    assert await url_of("PutRecords", ARN) == "https://123456789012.data-kinesis.us-east-1.amazonaws.com/"
    assert await url_of("ListShards", ARN) == "https://123456789012.control-kinesis.us-east-1.amazonaws.com/"


@pytest.mark.parametrize(
    ("name", "value", "url"),
    [
        ("AWS_USE_FIPS_ENDPOINT", "true", "https://kinesis-fips.us-east-1.amazonaws.com/"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "true", "https://kinesis.us-east-1.api.aws/"),
        ("AWS_ENDPOINT_URL", "http://all.example:4566", "http://all.example:4566/"),
        ("AWS_ENDPOINT_URL_KINESIS", "https://vpce.example/prefix", "https://vpce.example/prefix"),
    ],
)
async def test_an_endpoint_from_the_environment(monkeypatch, name, value, url):
    monkeypatch.setenv(name, value)
    assert await url_of() == url


@pytest.mark.parametrize("endpoint_url", ["ftp://127.0.0.1:21", "gopher://kinesis/trucks"])
async def test_an_endpoint_of_another_scheme_is_rejected(endpoint_url):
    with pytest.raises(ConfigurationError, match=f"{endpoint_url}.*https:// or http://"):
        await url_of(endpoint_url=endpoint_url)


async def test_a_fips_and_dual_stack_endpoint(monkeypatch):
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    monkeypatch.setenv("AWS_USE_DUALSTACK_ENDPOINT", "true")
    assert await url_of() == "https://kinesis-fips.us-east-1.api.aws/"
    assert (await url_of("PutRecords", ARN)).startswith("https://123456789012.data-kinesis-fips.us-east-1.api.aws/")


async def test_the_endpoint_for_kinesis_precedes_the_endpoint_for_all_services(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://all.example")
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", "http://kinesis.example")
    assert await url_of() == "http://kinesis.example/"


async def test_an_endpoint_from_a_profile(monkeypatch, config_file):
    config_file(
        "[profile fleet]\nregion = eu-west-1\nservices = mine\n[services mine]\nkinesis =\n"
        "  endpoint_url = http://mine.example\n[profile plain]\nregion = eu-west-1\n"
    )
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    urls = []
    for profile in ("fleet", "plain"):
        session = AioSession(profile=profile)
        session.set_credentials("GIVEN", "s")
        urls.append(await url_of(session=session, region_name=None))
    assert urls == ["http://mine.example/", "https://kinesis.eu-west-1.amazonaws.com/"]


async def test_the_endpoint_argument_precedes_all_others(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", "http://other.example")
    assert await url_of(endpoint_url="http://127.0.0.1:4567") == "http://127.0.0.1:4567/"


# --- Credentials ----------------------------------------------------------------------------------


async def test_a_request_has_the_headers_that_aiobotocore_sends(monkeypatch):
    """Except for those of a single request; the signature covers them."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    session = get_session()
    session.user_agent_extra = "fleet/1.0"
    async with serving() as server:
        async with session.create_client("kinesis", region_name="us-east-1", endpoint_url=server.url) as theirs:
            await theirs.put_records(StreamName="trucks", Records=[{"Data": b"a", "PartitionKey": "k"}])
        async with client_of(server.url, session=session) as ours:
            await ours.put_records(RECORDS)
    expected, got = (received.headers for received in server.received)
    of_one = {
        "accept",
        "content-length",
        "amz-sdk-invocation-id",
        "amz-sdk-request",
        "x-amz-date",
        "authorization",
        "user-agent",
    }
    assert {name: got.get(name) for name in expected if name not in of_one} == {
        name: value for name, value in expected.items() if name not in of_one
    }
    assert "fleet/1.0" in got["user-agent"]
    assert got["user-agent"].split(" m/")[0] == expected["user-agent"].split(" m/")[0]
    assert "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target" in got["authorization"]


async def access_keys(server, session=None, requests=1):
    async with client_of(server.url, session=session) as client:
        for _ in range(requests):
            await client.put_records(RECORDS)
    return [received.access_key for received in server.received]


async def test_credentials_from_the_environment():
    async with serving() as server:
        assert await access_keys(server) == ["testing"]


async def test_credentials_from_a_profile(tmp_path, monkeypatch):
    (tmp_path / "credentials").write_text("[fleet]\naws_access_key_id = FLEET\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    async with serving() as server:
        assert await access_keys(server, AioSession(profile="fleet")) == ["FLEET"]


async def test_credentials_from_a_process(config_file):
    """As helpers for single sign-on provide them."""
    provided = json.dumps({"Version": 1, "AccessKeyId": "PROCESS", "SecretAccessKey": "s"})
    script = f"print('''{provided}''')".replace('"', r"\"")
    config_file(f'[profile fleet]\ncredential_process = {sys.executable} -c "{script}"\n')
    async with serving() as server:
        assert await access_keys(server, AioSession(profile="fleet")) == ["PROCESS"]


async def test_credentials_from_the_container(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    provided = {"AccessKeyId": "CONTAINER", "SecretAccessKey": "s", "Token": "t", "Expiration": "2099-01-01T00:00:00Z"}
    async with serving(http_response(body=provided)) as metadata, serving() as server:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", metadata.url + "/role")
        assert await access_keys(server) == ["CONTAINER"]
    assert server.received[0].headers["x-amz-security-token"] == "t"


@pytest.fixture
def no_keys(fake_credentials, monkeypatch):  # noqa: ARG001 - made first
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("no_keys")
async def test_credentials_from_the_instance(monkeypatch):
    provided = {"Code": "Success", "AccessKeyId": "INSTANCE", "SecretAccessKey": "s", "Token": "t"}
    steps = (
        http_response(body=b"token"),
        http_response(body=b"role"),
        http_response(body={**provided, "Expiration": "2099-01-01T00:00:00Z"}),
    )
    async with serving(*steps) as metadata, serving() as server:
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.url)
        assert await access_keys(server, requests=2) == ["INSTANCE"] * 2
    assert [received.target.rpartition("/")[2] for received in metadata.received] == ["token", "", "role"]
    assert metadata.received[2].headers["x-aws-ec2-metadata-token"] == "token"


async def test_credentials_from_a_role(monkeypatch, config_file, tmp_path):
    """A profile's role, assumed with the keys of another profile."""
    (tmp_path / "credentials").write_text("[base]\naws_access_key_id = BASE\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    config_file("[profile fleet]\nrole_arn = arn:aws:iam::123456789012:role/fleet\nsource_profile = base\n")
    async with serving(http_response(body=ROLE % b"ROLE")) as sts, serving() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        assert await access_keys(server, AioSession(profile="fleet")) == ["ROLE"]
    assert sts.received[0].access_key == "BASE"
    assert b"RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Ffleet" in sts.received[0].body


@pytest.mark.usefixtures("no_keys")
async def test_credentials_from_a_web_identity(monkeypatch, tmp_path):
    """As in a pod of EKS."""
    (tmp_path / "token").write_text("a token")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/pod")
    provided = (ROLE % b"POD").replace(b"AssumeRole", b"AssumeRoleWithWebIdentity")
    async with serving(http_response(body=provided)) as sts, serving() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        assert await access_keys(server) == ["POD"]
    assert b"WebIdentityToken=a+token" in sts.received[0].body


async def test_credentials_from_single_sign_on(monkeypatch, config_file, tmp_path):
    start_url = "https://fleet.awsapps.example/start"
    config_file(
        f"[profile fleet]\nsso_start_url = {start_url}\nsso_region = us-east-1\n"
        "sso_account_id = 123456789012\nsso_role_name = driver\n"
    )
    login = {"startUrl": start_url, "accessToken": "login", "expiresAt": "2099-01-01T00:00:00Z", "region": "us-east-1"}
    (tmp_path / f"{hashlib.sha1(start_url.encode()).hexdigest()}.json").write_text(json.dumps(login))
    monkeypatch.setattr(SSOProvider, "_SSO_TOKEN_CACHE_DIR", str(tmp_path))
    keys = {"accessKeyId": "SSO", "secretAccessKey": "s", "sessionToken": "t", "expiration": 4_070_908_800_000}
    async with serving(http_response(body={"roleCredentials": keys})) as portal, serving() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SSO", portal.url)
        assert await access_keys(server, AioSession(profile="fleet")) == ["SSO"]
    assert portal.received[0].headers["x-amz-sso_bearer_token"] == "login"


async def test_missing_credentials_are_a_permanent_failure(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    async with client_of("http://127.0.0.1:1") as client:
        with pytest.raises(RequestFailedError, match="Unable to locate credentials") as caught:
            await client.put_records(RECORDS)
    assert caught.value.kind is FailureKind.PERMANENT


async def test_a_session_without_signatures():
    session = get_session()
    session.set_default_client_config(AioConfig(signature_version=UNSIGNED))
    async with serving() as server, client_of(server.url, session=session) as client:
        await client.put_records(RECORDS)
    assert "authorization" not in server.received[0].headers


async def test_a_session_without_signatures_needs_no_credentials(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    session = get_session()
    session.set_default_client_config(AioConfig(signature_version=UNSIGNED))
    async with serving() as server, client_of(server.url, session=session) as client:
        await client.put_records(RECORDS)
    assert "authorization" not in server.received[0].headers


async def test_another_signature_version_is_rejected():
    session = get_session()
    session.set_default_client_config(AioConfig(signature_version="v2"))
    async with client_of("http://127.0.0.1:1", session=session) as client:
        with pytest.raises((ConfigurationError, RequestFailedError)):
            await client.put_records(RECORDS)


# --- Credentials that expire ----------------------------------------------------------------------


def session_with(provide, seconds):
    """A session whose role's credentials last `seconds`; after that `provide` returns others."""

    async def refresh():
        name, lasting = provide()
        until = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=lasting)
        return {"access_key": name, "secret_key": "s", "token": "t", "expiry_time": until.isoformat()}

    session = get_session()
    session._credentials = AioRefreshableCredentials(
        "FIRST", "s", "t", dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds), refresh, method="assume-role"
    )
    return session


async def test_credentials_that_are_about_to_expire_are_refreshed_before_signing():
    async with serving() as server:
        assert await access_keys(server, session_with(lambda: ("SECOND", 3600), seconds=60)) == ["SECOND"]


async def test_expired_credentials_are_refreshed_and_the_request_signed_again():
    """Even if they should have lasted. Requests that are in flight together share one refresh."""
    names = iter(["SECOND", "THIRD"])
    session = session_with(lambda: (next(names), 3600), seconds=3600)
    both_came = asyncio.Barrier(2)

    async def expired(received):
        await both_came.wait()
        assert received.access_key == "FIRST"
        return error_response("ExpiredTokenException", "The security token included in the request is expired")

    async with serving(expired, expired) as server, client_of(server.url, session=session) as client:
        responses = await asyncio.gather(client.put_records(RECORDS), client.put_records(RECORDS))
        await client.put_records(RECORDS)
    assert [len(one) for one in responses] == [2, 2]
    assert sorted(received.access_key for received in server.received) == ["FIRST"] * 2 + ["SECOND"] * 3


async def test_a_credentials_file_is_read_again_when_its_keys_have_expired(tmp_path, monkeypatch):
    path = tmp_path / "credentials"
    path.write_text("[fleet]\naws_access_key_id = OLD\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))

    def expired(_received):
        path.write_text("[fleet]\naws_access_key_id = NEW\naws_secret_access_key = s\n")
        return error_response("UnrecognizedClientException", "The security token included in the request is invalid.")

    async with serving(expired) as server:
        assert await access_keys(server, AioSession(profile="fleet"), requests=2) == ["OLD", "NEW", "NEW"]


async def test_credentials_that_the_user_replaces_are_used():
    session = get_session()
    session.set_credentials("ONE", "s")
    async with serving() as server, client_of(server.url, session=session) as client:
        await client.put_records(RECORDS)
        session.set_credentials("TWO", "s")
        await client.put_records(RECORDS)
    assert [received.access_key for received in server.received] == ["ONE", "TWO"]


@pytest.mark.parametrize(
    ("code", "kind"),
    [("ExpiredTokenException", FailureKind.CREDENTIALS), ("UnrecognizedClientException", FailureKind.PERMANENT)],
)
async def test_expired_credentials_without_a_replacement_are_reported(code, kind):
    session = get_session()
    session.set_credentials("GIVEN", "s", "t")
    async with serving(error_response(code)) as server, client_of(server.url, session=session) as client:
        with pytest.raises(RequestFailedError) as caught:
            await client.put_records(RECORDS)
    assert (caught.value.kind, len(server.received)) == (kind, 1)


async def test_a_failed_refresh_is_a_failure_of_credentials():
    def fail():
        raise OSError("no route to the metadata service")

    async with serving() as server, client_of(server.url, session=session_with(fail, seconds=1)) as client:
        with pytest.raises(RequestFailedError, match="no route to the metadata") as caught:
            await client.put_records(RECORDS)
    assert caught.value.kind is FailureKind.CREDENTIALS


# --- Proxies and certificates ---------------------------------------------------------------------


async def test_a_certificate_of_an_unknown_authority_is_rejected(tls):
    async with serving(tls=tls) as server, client_of(server.url) as client:
        with pytest.raises(RequestFailedError, match="CERTIFICATE_VERIFY_FAILED") as caught:
            await client.put_records(RECORDS)
    assert caught.value.kind is FailureKind.PERMANENT
    assert server.received == []


async def test_a_certificate_for_another_host_is_rejected(authority, ca_file, monkeypatch):
    monkeypatch.setenv("AWS_CA_BUNDLE", ca_file)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("other.test").configure_cert(context)
    async with serving(tls=context) as server, client_of(server.url) as client:
        with pytest.raises(RequestFailedError, match=r"certificate is not valid for|IP address mismatch") as caught:
            await client.put_records(RECORDS)
    assert caught.value.kind is FailureKind.PERMANENT


async def test_a_private_authority_from_the_environment(tls, ca_file, monkeypatch):
    monkeypatch.setenv("AWS_CA_BUNDLE", ca_file)
    async with serving(tls=tls) as server, client_of(server.url) as client:
        assert len(await client.put_records(RECORDS)) == 2


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_a_file_without_trusted_certificates_is_named(monkeypatch, tmp_path, content):
    file = tmp_path / "trusted.pem"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(file))
    with pytest.raises(ConfigurationError, match=r"trusted\.pem.*AWS_CA_BUNDLE"):
        await Producer("trucks", region_name="us-east-1", endpoint_url="https://127.0.0.1:9").open()


async def test_a_private_authority_from_a_profile(tls, ca_file, config_file):
    config_file(f"[profile fleet]\nca_bundle = {ca_file}\n")
    session = AioSession(profile="fleet")
    session.set_credentials("GIVEN", "s")
    async with serving(tls=tls) as server, client_of(server.url, session=session) as client:
        assert len(await client.put_records(RECORDS)) == 2


async def test_an_https_request_is_tunnelled_through_a_proxy(tls, ca_file, monkeypatch):
    monkeypatch.setenv("AWS_CA_BUNDLE", ca_file)
    async with serving(tls=tls) as server, proxying(server.port) as (proxy, connects):
        monkeypatch.setenv("HTTPS_PROXY", proxy.replace("://", "://user:word@"))
        async with client_of("https://kinesis.test") as client:
            assert len(await client.put_records(RECORDS)) == 2
    assert connects[0][0] == "CONNECT kinesis.test:443 HTTP/1.1"
    assert "Proxy-Authorization: Basic dXNlcjp3b3Jk" in connects[0]
    assert server.received[0].headers["host"] == "kinesis.test"
    assert "proxy-authorization" not in server.received[0].headers


async def test_a_proxy_with_certificates_of_its_own(tls, ca_file, monkeypatch):
    monkeypatch.setenv("AWS_CA_BUNDLE", ca_file)
    async with serving(tls=tls) as server, proxying(server.port) as (proxy, connects):
        session = get_session()
        session.set_default_client_config(
            AioConfig(proxies={"https": proxy}, proxies_config={"proxy_ca_bundle": ca_file})
        )
        async with client_of("https://kinesis.test", session=session) as client:
            assert len(await client.put_records(RECORDS)) == 2
    assert connects[0][0] == "CONNECT kinesis.test:443 HTTP/1.1"


async def test_a_certificate_for_another_host_is_rejected_also_by_aiohttp(authority, ca_file, monkeypatch):
    """In aiobotocore up to 3.8, a session with connector arguments leaves the host name unchecked."""
    monkeypatch.setenv("AWS_CA_BUNDLE", ca_file)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("other.test").configure_cert(context)
    session = get_session()
    session.set_default_client_config(AioConfig(connector_args={"use_dns_cache": False}))
    async with serving(tls=context) as server, client_of(server.url, session=session) as client:
        with pytest.raises(RequestFailedError, match=r"certificate is not valid for|IP address mismatch") as caught:
            await client.put_records(RECORDS)
    assert caught.value.kind is FailureKind.PERMANENT


async def test_an_http_request_is_forwarded_by_a_proxy(monkeypatch):
    async with serving() as server:
        monkeypatch.setenv("HTTP_PROXY", server.url)
        async with client_of("http://kinesis.test:8000") as client:
            assert len(await client.put_records(RECORDS)) == 2
    assert server.received[0].target == "http://kinesis.test:8000/"


async def test_a_proxy_from_the_sessions_configuration():
    session = get_session()
    async with serving() as server:
        session.set_default_client_config(AioConfig(proxies={"http": server.url}))
        async with client_of("http://kinesis.test:8000", session=session) as client:
            assert len(await client.put_records(RECORDS)) == 2
    assert server.received[0].target == "http://kinesis.test:8000/"


async def test_a_host_that_bypasses_the_proxy(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with serving() as server, client_of(server.url) as client:
        assert len(await client.put_records(RECORDS)) == 2


@pytest.mark.parametrize(("status", "kind"), [(407, FailureKind.PERMANENT), (503, FailureKind.NOT_SENT)])
async def test_a_proxy_that_rejects_the_request(monkeypatch, status, kind):
    async with serving(http_response(status)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with client_of("https://kinesis.test") as client:
            with pytest.raises(RequestFailedError) as caught:
                await client.put_records(RECORDS)
    assert caught.value.kind is kind
