"""What AWS refuses, as it comes over the wire: the message says what to do, and the command's exit status what kind.

The answers are those of the services: XML from CloudFormation, STS and S3, JSON from Kinesis.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from truckstream.cloud.aws_account import Account
from truckstream.cloud.error_hints import ABSENT, HINTS, hint_for, hint_for_failure, hint_for_reasons
from truckstream.errors import AwsError, ConfigurationError


def query_error(code, message):
    return f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"


def s3_error(code, message):
    return f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"


def json_error(code, message):
    return json.dumps({"__type": code, "message": message})


class Recorded(ThreadingHTTPServer):
    """Gives every request one answer."""

    status, body = 200, ""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b"" if self.command == "HEAD" else self.server.body.encode()
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/x-amz-json-1.1" if body[:1] == b"{" else "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_HEAD = answer  # noqa: N815 - the names that the server calls

    def log_message(self, *_):
        pass


@pytest.fixture
def recorded():
    with Recorded() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


DENIED = "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: cloudformation:DescribeStacks"
STACK = ("cloudformation", "describe_stacks", {"StackName": "acme"})
STREAM = ("kinesis", "describe_stream_summary", {"StreamName": "trucks"})
MAKE_STREAM = ("kinesis", "create_stream", {"StreamName": "trucks"})
MAKE_BUCKET = ("s3", "create_bucket", {"Bucket": "acme-truck-data"})
LIST = ("s3", "list_objects_v2", {"Bucket": "acme-truck-data"})
WHO = ("sts", "get_caller_identity", {})

#: (the call, the HTTP status, the body, what the message says of what to do)
REFUSALS = {
    "denied permissions": (STACK, 403, query_error("AccessDenied", DENIED), "truckstream policies prints"),
    "denied in S3": (LIST, 403, s3_error("AccessDenied", "Access Denied"), "truckstream policies prints"),
    "expired token": (
        WHO,
        403,
        query_error("ExpiredToken", "The security token included in the request is expired"),
        "log in again",
    ),
    "expired token of Kinesis": (STREAM, 400, json_error("ExpiredTokenException", "expired"), "log in again"),
    "unknown credentials": (
        WHO,
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
        MAKE_BUCKET,
        409,
        s3_error("BucketAlreadyExists", "not available"),
        "choose another with --bucket",
    ),
    "stream name taken": (
        MAKE_STREAM,
        400,
        json_error("ResourceInUseException", "Stream trucks already exists."),
        "CreateStream=false",
    ),
    "limit of shards": (
        MAKE_STREAM,
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
    "a proxy's own page": (STACK, 502, "Bad Gateway", "is a proxy or another endpoint in between"),
    "clock": (LIST, 403, s3_error("RequestTimeTooSkewed", "too large"), "clock is wrong"),
}


@pytest.mark.usefixtures("fake_credentials")
@pytest.mark.parametrize("case", REFUSALS)
async def test_a_refusal_says_what_to_do(recorded, case):
    (service, operation, parameters), recorded.status, recorded.body, words = REFUSALS[case]
    async with Account(region_name="us-east-1", endpoint_url=recorded.url) as account:
        with pytest.raises(AwsError, match=words) as refused:
            await account.call(service, operation, **parameters)
    assert refused.value.code == "ResponseParserError" or refused.value.code in recorded.body
    assert refused.value.operation.startswith(f"{service}:")


@pytest.mark.usefixtures("fake_credentials")
async def test_what_is_not_there_is_none(recorded):
    recorded.status, recorded.body = 400, query_error("ValidationError", "Stack with id acme does not exist")
    async with Account(region_name="us-east-1", endpoint_url=recorded.url) as account:
        assert await account.find("cloudformation", "describe_stacks", StackName="acme") is None


@pytest.mark.usefixtures("fake_credentials")
async def test_an_endpoint_that_is_no_address_is_a_setting():
    async with Account(region_name="us-east-1", endpoint_url="nonsense") as account:
        with pytest.raises(ConfigurationError, match=r"endpoint_url is invalid \(Invalid endpoint: nonsense\)"):
            await account.call("kinesis", "list_streams")


@pytest.mark.usefixtures("fake_credentials")
async def test_half_of_the_credentials_is_a_setting(monkeypatch):
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    async with Account(region_name="us-east-1", endpoint_url="http://127.0.0.1:9") as account:
        with pytest.raises(ConfigurationError, match=r"credentials are incomplete .* Log in"):
            await account.call("sts", "get_caller_identity")


@pytest.mark.usefixtures("fake_credentials")
async def test_a_login_that_ran_out_says_to_log_in_again(monkeypatch, tmp_path):
    """A profile of IAM Identity Center whose token nobody has fetched."""
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


# --- The table --------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", sorted(HINTS))
def test_every_hint_is_a_sentence_that_asks_for_something(code):
    assert hint_for(code).endswith((".", "?"))
    assert (code in ABSENT) == hint_for(code).startswith("Check the name, ")


def test_a_code_that_nobody_knows_has_no_hint():
    assert hint_for("TeapotException") == hint_for_failure("TeapotError", "us-east-1") == hint_for_reasons("tea") == ""


def test_no_answer_asks_for_the_network_and_the_region():
    assert hint_for_failure("EndpointConnectionError", "eu-west-9").endswith("whether eu-west-9 is the right region.")


@pytest.mark.parametrize(
    ("reasons", "words"),
    [
        ("Bucket (AWS::S3::Bucket): acme-truck-data already exists", "choose another with --stream, --bucket"),
        ("Stream: User: arn:… is not authorized to perform: kinesis:CreateStream", "truckstream policies prints"),
        ("Stream: LimitExceededException: 10 in 24 h; Topic already exists", "Service Quotas"),
        ("Function: decreases account's UnreservedConcurrentExecution below its minimum", "ReservedConcurrency=-1"),
    ],
)
def test_the_first_reason_that_cloudformation_gives_decides_the_hint(reasons, words):
    assert words in hint_for_reasons(reasons)
