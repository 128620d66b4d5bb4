"""Errors of AWS as they arrive over HTTP: Account raises each one with its code and with advice for the user.

The responses have the format of the service: XML from CloudFormation, STS and S3, JSON from Kinesis.
"""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.threaded_server import serving
from truckstream.cloud.aws_account import Account
from truckstream.errors import AwsError, ConfigurationError


def query_error(code, message):
    return f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"


def s3_error(code, message):
    return f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"


def json_error(code, message):
    return json.dumps({"__type": code, "message": message})


class FixedResponseServer(ThreadingHTTPServer):
    """Returns the same response to every request."""

    status, body = 200, ""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    def respond(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b"" if self.command == "HEAD" else self.server.body.encode()
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/x-amz-json-1.1" if body[:1] == b"{" else "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_HEAD = respond  # noqa: N815 - names that the base class defines

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with serving(FixedResponseServer()) as server:
        yield server


DENIED = "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: cloudformation:DescribeStacks"
STACK = ("cloudformation", "describe_stacks", {"StackName": "acme"})
STREAM = ("kinesis", "describe_stream_summary", {"StreamName": "trucks"})
CREATE_STREAM = ("kinesis", "create_stream", {"StreamName": "trucks"})
CREATE_BUCKET = ("s3", "create_bucket", {"Bucket": "acme-truck-data"})
LIST = ("s3", "list_objects_v2", {"Bucket": "acme-truck-data"})
IDENTITY = ("sts", "get_caller_identity", {})

#: (call, HTTP status, body, part of the advice in the message)
ERRORS = {
    "denied permissions": (STACK, 403, query_error("AccessDenied", DENIED), "truckstream policies prints"),
    "denied in S3": (LIST, 403, s3_error("AccessDenied", "Access Denied"), "truckstream policies prints"),
    "expired token": (
        IDENTITY,
        403,
        query_error("ExpiredToken", "The security token included in the request is expired"),
        "log in again",
    ),
    "expired token of Kinesis": (STREAM, 400, json_error("ExpiredTokenException", "expired"), "log in again"),
    "unknown credentials": (
        IDENTITY,
        403,
        query_error("InvalidClientTokenId", "The security token is invalid"),
        "check AWS_PROFILE",
    ),
    "wrong region": (
        LIST,
        400,
        s3_error("AuthorizationHeaderMalformed", "the region 'us-east-1' is wrong; expecting 'eu-west-1'"),
        "pass --region",
    ),
    "region not enabled": (STACK, 403, query_error("OptInRequired", "not subscribed"), "enable it"),
    "bucket name taken by others": (
        CREATE_BUCKET,
        409,
        s3_error("BucketAlreadyExists", "not available"),
        "choose another with --bucket",
    ),
    "stream name taken": (
        CREATE_STREAM,
        400,
        json_error("ResourceInUseException", "Stream trucks already exists."),
        "with --adopt",
    ),
    "limit of shards": (
        CREATE_STREAM,
        400,
        json_error("LimitExceededException", "This request would exceed the shard limit for the account"),
        "Service Quotas",
    ),
    "stream not found": (
        STREAM,
        400,
        json_error("ResourceNotFoundException", "Stream trucks under account 123456789012 not found."),
        "Check the name, the account and the region",
    ),
    "page of a proxy": (STACK, 502, "Bad Gateway", "is a proxy or another endpoint in between"),
    "clock": (LIST, 403, s3_error("RequestTimeTooSkewed", "too large"), "clock is wrong"),
}


@pytest.mark.usefixtures("fake_credentials")
@pytest.mark.parametrize("case", ERRORS)
async def test_an_error_contains_advice(server, case):
    (service, operation, parameters), server.status, server.body, words = ERRORS[case]
    async with Account(region_name="us-east-1", endpoint_url=server.url) as account:
        with pytest.raises(AwsError, match=words) as error:
            await account.call(service, operation, **parameters)
    assert error.value.code == "ResponseParserError" or error.value.code in server.body
    assert error.value.operation.startswith(f"{service}:")


@pytest.mark.usefixtures("fake_credentials")
async def test_find_returns_none_for_a_missing_resource(server):
    server.status, server.body = 400, query_error("ValidationError", "Stack with id acme does not exist")
    async with Account(region_name="us-east-1", endpoint_url=server.url) as account:
        assert await account.find("cloudformation", "describe_stacks", StackName="acme") is None


@pytest.mark.usefixtures("fake_credentials")
async def test_an_invalid_endpoint_raises_a_configuration_error():
    async with Account(region_name="us-east-1", endpoint_url="nonsense") as account:
        with pytest.raises(ConfigurationError, match=r"endpoint_url is invalid \(Invalid endpoint: nonsense\)"):
            await account.call("kinesis", "list_streams")


@pytest.mark.usefixtures("fake_credentials")
async def test_incomplete_credentials_raise_a_configuration_error(monkeypatch):
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    async with Account(region_name="us-east-1", endpoint_url="http://127.0.0.1:9") as account:
        with pytest.raises(ConfigurationError, match=r"credentials are incomplete .* Log in"):
            await account.call("sts", "get_caller_identity")


@pytest.mark.usefixtures("fake_credentials")
async def test_a_missing_login_asks_the_user_to_log_in_again(monkeypatch, tmp_path):
    """The profile uses IAM Identity Center, and there is no token in its cache."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    (tmp_path / "config").write_text(
        "[profile sso]\nsso_session = acme\nsso_account_id = 123456789012\nsso_role_name = Deployer\n"
        "[sso-session acme]\nsso_region = us-east-1\nsso_start_url = https://acme.example/start\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "sso")
    monkeypatch.setenv("HOME", str(tmp_path))
    async with Account(region_name="us-east-1", endpoint_url="http://127.0.0.1:9") as account:
        with pytest.raises(AwsError, match="log in again"):
            await account.call("sts", "get_caller_identity")


@pytest.mark.usefixtures("fake_credentials")
async def test_an_endpoint_from_the_environment_is_known_to_stand_in_for_aws(server, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    server.body = query_error("AccessDenied", DENIED)
    server.status = 403
    async with Account(region_name="us-east-1") as account:
        assert account.stand_in is None
        with pytest.raises(AwsError):
            await account.call("cloudformation", "describe_stacks", StackName="acme")
        assert account.stand_in == server.url
