"""The reason of a failed request reaches the result and the log: the store's code, its message and what to do."""

import datetime as dt
import functools
import http.server
import logging
import socket
import ssl

import pytest
import trustme

from tests.batcher.s3_stub import ErrorResponse, S3Stub
from tests.batcher.support import Small, number, numbers
from tests.threaded_server import serving
from truckstream.batcher import Batcher
from truckstream.batcher.object_store.error_table import CODES, STATUSES
from truckstream.batcher.object_store.failure import read_failure

TOKEN = "FwoGZXIvYXdzEJr//////////secret"


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")


async def cause_at(url, **options):
    """Return the cause of the one group that cannot be stored at an endpoint."""
    options = {"schema": Small, "max_attempts": 2, "region_name": "us-east-1"} | options
    result = await Batcher("s3://trucks", endpoint_url=url, **options).process(numbers(3))
    assert result.first_failed == number(0)
    (cause,) = result.causes
    return cause


# --- Responses --------------------------------------------------------------------------------------


ERRORS = [
    (
        ErrorResponse(400, "ExpiredToken", "The provided token has expired.", {"Token-0": TOKEN}),
        "ExpiredToken: {key}: The provided token has expired (400 Bad Request). The session has ended: log in again",
    ),
    (
        ErrorResponse(400, "KMS.DisabledException", "arn:aws:kms:us-east-1:123456789012:key/a1 is disabled."),
        (
            "KMS.DisabledException: {key}: arn:aws:kms:us-east-1:123456789012:key/a1 is disabled (400 Bad Request). "
            "Enable the key"
        ),
    ),
    (
        ErrorResponse(
            400,
            "AuthorizationHeaderMalformed",
            "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'",
            {"Region": "eu-west-1"},
        ),
        (
            "AuthorizationHeaderMalformed: {key}: The authorization header is malformed; the region 'us-east-1' is "
            "wrong; expecting 'eu-west-1' (400 Bad Request). Set region_name to the bucket's region"
        ),
    ),
    (
        ErrorResponse(
            301,
            "PermanentRedirect",
            "The bucket you are attempting to access must be addressed using the specified endpoint.",
            {"Endpoint": "trucks.s3.eu-west-1.amazonaws.com"},
        ),
        "PermanentRedirect: {key}: the bucket must be addressed in another way. Set region_name to the bucket's region",
    ),
    (
        ErrorResponse(
            403,
            "AccessDenied",
            "User: arn:aws:sts::123456789012:assumed-role/role/function is not authorized to perform: s3:PutObject on "
            'resource: "arn:aws:s3:::trucks/sensor_data/x" because no identity-based policy allows the s3:PutObject '
            "action",
        ),
        (
            "AccessDenied: {key}: User: arn:aws:sts::123456789012:assumed-role/role/function is not authorized to "
            'perform: s3:PutObject on resource: "arn:aws:s3:::trucks/sensor_data/x" because no identity-based policy '
            "allows the s3:PutObject action (403 Forbidden). Allow the role s3:PutObject and s3:GetObject"
        ),
    ),
    (
        ErrorResponse(403, "AccessDenied", "User: arn:aws:x is not authorized to perform: kms:GenerateDataKey on y"),
        (
            "AccessDenied: {key}: User: arn:aws:x is not authorized to perform: kms:GenerateDataKey on y (403 "
            "Forbidden). Allow the role kms:GenerateDataKey and kms:Decrypt with this key"
        ),
    ),
    (
        ErrorResponse(404, "NoSuchBucket", "The specified bucket does not exist", {"BucketName": "trucks"}),
        "NoSuchBucket: {key}: The specified bucket does not exist (404 Not Found). Create the bucket",
    ),
    (
        ErrorResponse(503, "SlowDown", "Please reduce your request rate."),
        "SlowDown: {key}: Please reduce your request rate (503 Service Unavailable). If this lasts, lower",
    ),
    (
        ErrorResponse(403, "SignatureDoesNotMatch", "The signature\nis <wrong> & old", {"StringToSign": TOKEN}),
        "SignatureDoesNotMatch: {key}: The signature is <wrong> & old (403 Forbidden). Check the access key",
    ),
    (
        ErrorResponse(501, "NotImplemented", "A header you provided implies functionality that is not implemented"),
        (
            "NotImplemented: {key}: A header you provided implies functionality that is not implemented (501 Not "
            "Implemented). The store must support conditional writes"
        ),
    ),
    (ErrorResponse(400, "Unheard", "Of"), "Unheard: {key}: Of (400 Bad Request)"),  # any hint would be a guess
]


@pytest.mark.parametrize(("error", "expected"), ERRORS, ids=lambda value: getattr(value, "code", ""))
async def test_an_error_of_s3_is_reported_with_code_message_and_hint(error, expected, caplog):
    s3 = S3Stub()
    s3.script = [error] * 10
    with s3.running() as url, caplog.at_level(logging.WARNING, "truckstream"):
        cause = await cause_at(url)
    ((_, path, _, _), *_) = s3.requests
    key = path.removeprefix("/trucks/")
    assert str(cause).startswith(expected.format(key=key))
    assert str(cause) in caplog.text
    assert cause.code == error.code
    assert str(cause).endswith(cause.hint)
    assert bool(cause.hint) == (error.code != "Unheard")
    assert TOKEN not in caplog.text, "the session token is a secret"


def test_the_body_of_an_error_may_be_missing_or_anything():
    def read(text):
        failure = read_failure(OSError(f"Server returned non-2xx status code: {text}"))
        return failure.code, failure.message, failure.rule.retried

    assert read("403 Forbidden: ") == ("403 Forbidden", "the response has no reason", False)
    assert read("502 Bad Gateway: <html>\n bad  gateway</html>") == (
        "502 Bad Gateway",
        "<html> bad gateway</html>",
        True,
    )
    assert read("400 Bad Request: <Code></Code>")[0] == "400 Bad Request"
    assert read("400 Bad Request: <Error><Code>RequestTimeout</Code></Error>") == (
        "RequestTimeout",
        "the response has no message (400 Bad Request)",
        True,
    )
    assert read("599: " + "x" * 10_000) == ("599", "x" * 500, True)
    assert read("418 I'm a teapot: <Error><Code>A</Code><Message>B</Message></Error>\n\nDebug source:\nC") == (
        "A",
        "B (418 I'm a teapot)",
        False,
    )


def test_an_error_of_another_store_keeps_its_class_and_its_first_line():
    failure = read_failure(PermissionError("Permission denied: /data\n\nDebug source:\nLocal {}"))
    assert (failure.code, failure.message, failure.status) == ("PermissionError", "Permission denied: /data", None)


@pytest.mark.parametrize("rule", [*CODES.values(), *STATUSES.values()])
def test_an_error_that_lasts_has_a_hint(rule):
    assert rule.retried or rule.hint.endswith(".")


# --- No response ------------------------------------------------------------------------------------


@functools.cache
def authority():
    return trustme.CA()


def tls_server(certificate):
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    server.handle_error = lambda *_: None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return serving(server)


def trusting():
    return {"store_options": {"client_options": {"root_certificate": authority().cert_pem.bytes()}}}


async def test_a_certificate_of_an_unknown_issuer_is_named():
    with tls_server(authority().issue_cert("127.0.0.1")) as server:
        cause = await cause_at(f"https://127.0.0.1:{server.server_port}")
    assert (cause.code, cause.retryable) == ("InvalidCertificate", False)
    assert "TLS failed with UnknownIssuer. Check the certificate's names" in str(cause)


async def test_a_certificate_that_has_expired_is_named():
    expired = authority().issue_cert("127.0.0.1", not_after=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    with tls_server(expired) as server:
        cause = await cause_at(f"https://127.0.0.1:{server.server_port}", **trusting())
    assert "TLS failed with Expired" in str(cause)


async def test_a_certificate_for_another_name_is_named():
    with tls_server(authority().issue_cert("example.com")) as server:
        cause = await cause_at(f"https://localhost:{server.server_port}", **trusting())
    assert "TLS failed with NotValidForName" in str(cause)


async def test_an_endpoint_that_does_not_speak_tls_is_named():
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    server.RequestHandlerClass.log_message = lambda *_: None
    with serving(server):
        cause = await cause_at(f"https://127.0.0.1:{server.server_port}")
    assert (cause.code, cause.retryable) == ("TlsError", False)
    assert "pass endpoint_url with http://" in str(cause)


async def test_a_host_name_that_does_not_exist_is_named():
    cause = await cause_at("https://nothing.invalid")
    assert (cause.code, cause.retryable) == ("DnsError", True)
    assert "failed to lookup address information" in str(cause)
    assert "Check endpoint_url, region_name" in str(cause)


async def test_a_refused_connection_is_named():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        cause = await cause_at(f"http://127.0.0.1:{unused.getsockname()[1]}")
    assert (cause.code, cause.retryable) == ("ConnectionError", True)
    assert "Connection refused. Check the network" in str(cause)


async def test_a_service_that_does_not_respond_is_named():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        cause = await cause_at(url, store_options={"client_options": {"timeout": "100ms"}})
    assert cause.code == "Timeout"
    assert "no response within 1" in str(cause)


async def test_an_endpoint_without_tls_that_is_not_allowed_is_named():
    """The store is one of obstore, which sends nothing without TLS unless an option allows it."""
    cause = await cause_at(None, store_options={"aws_endpoint": "http://127.0.0.1:9"})
    assert (cause.code, cause.retryable) == ("InvalidEndpoint", False)


async def test_missing_credentials_are_named(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    cause = await cause_at("http://127.0.0.1:9", store_options={"aws_metadata_endpoint": "http://127.0.0.1:9"})
    assert cause.code == "NoCredentials"
    assert "set AWS_PROFILE or AWS_ACCESS_KEY_ID" in str(cause)
