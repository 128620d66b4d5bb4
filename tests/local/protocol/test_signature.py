"""The check of signatures: requests signed by botocore are accepted, and all others are rejected."""

from datetime import UTC, datetime

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

from truckstream.errors import InvalidArgumentError
from truckstream.local.protocol.signature import Credentials, SignatureCheck, SignedRequest
from truckstream.local.service.errors import RefusedError

T0 = 1_795_392_000.0  # 2026-11-23T00:00:00Z
USER = Credentials("AKIDUSER", "user's secret/+")
ROLE = Credentials("ASIAROLE", "role's secret", session_token="token==", expires_at=T0 + 3_600)
CHECK = SignatureCheck((USER, ROLE), "us-east-1")


class Signer(SigV4Auth):
    """The signer of botocore, with the time of the test in place of the present time."""

    def _modify_request_before_signing(self, request):
        super()._modify_request_before_signing(request)
        request.context["timestamp"] = request.context["at"]
        del request.headers["X-Amz-Date"]
        request.headers["X-Amz-Date"] = request.context["at"]


def signed(credentials=USER, *, at=0.0, body=b"{}", region="us-east-1", service="kinesis", headers=(), url="/"):
    """Return a request as the service receives it, signed by botocore `at` seconds after T0."""
    moment = datetime.fromtimestamp(T0 + at, UTC).strftime("%Y%m%dT%H%M%SZ")
    request = AWSRequest(
        "POST",
        f"http://127.0.0.1:4567{url}",
        data=body,
        headers={
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": "Kinesis_20131202.PutRecords",
            **dict(headers),
        },
    )
    request.context["at"] = moment
    keys = BotocoreCredentials(credentials.access_key_id, credentials.secret_access_key, credentials.session_token)
    signer = Signer(keys, service, region)
    signer.add_auth(request)
    received = {name.lower(): value for name, value in request.headers.items()} | {"host": "127.0.0.1:4567"}
    path, _, query = url.partition("?")
    return SignedRequest("POST", path, query, received, body)


def error_of(request, now=T0):
    with pytest.raises(RefusedError) as caught:
        CHECK.check(request, now)
    return caught.value.code, caught.value.message


def altered(request, **headers):
    changed = dict(request.headers) | {name.replace("_", "-"): value for name, value in headers.items()}
    return request._replace(headers={name: value for name, value in changed.items() if value is not None})


@pytest.mark.parametrize("credentials", [USER, ROLE], ids=["user", "role"])
def test_a_signature_of_botocore_is_accepted(credentials):
    CHECK.check(signed(credentials, body=b'{"StreamName": "s"}'), T0)


@given(
    body=st.binary(max_size=300),
    spaced=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30),
    at=st.floats(-299, 299),
)
def test_botocores_signature_of_any_body_header_and_time_is_accepted(body, spaced, at):
    CHECK.check(signed(body=body, at=at, headers={"X-Amz-Meta": spaced}), T0)


@pytest.mark.parametrize("url", ["/?b=2&a=1", "/?a=%20x&a=", "/a%20b/c"])
def test_the_signature_covers_path_and_query(url):
    CHECK.check(signed(url=url), T0)
    code, _ = error_of(signed(url=url)._replace(query="a=3"))
    assert code == "InvalidSignatureException"


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_the_signature_covers_the_body(body, other):
    request = signed(body=body)._replace(body=other)
    if body == other:
        CHECK.check(request, T0)
    else:
        assert error_of(request)[0] == "InvalidSignatureException"


@pytest.mark.parametrize(
    "request_",
    [
        signed(Credentials("AKIDUSER", "another secret")),
        altered(signed(), x_amz_target="Kinesis_20131202.DeleteStream"),
        altered(signed(), host="elsewhere"),
        altered(signed(), authorization=signed().headers["authorization"][:-1] + "x"),
    ],
    ids=["secret", "target", "host", "signature"],
)
def test_the_error_for_a_wrong_signature_contains_the_string_to_sign(request_):
    code, message = error_of(request_)
    assert code == "InvalidSignatureException"
    assert message.startswith(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
        "Key and signing method. Consult the service documentation for details.\n\nThe Canonical String for this "
        "request should have been\n'POST\n/\n\n"
    )
    assert "The String-to-Sign should have been\n'AWS4-HMAC-SHA256\n20261123T000000Z\n20261123/us-east-1/" in message


def test_a_skew_of_five_minutes_is_accepted_and_no_more():
    request = signed()
    CHECK.check(request, T0 + 300)
    CHECK.check(request, T0 - 300)
    assert error_of(request, T0 + 301) == (
        "InvalidSignatureException",
        "Signature expired: 20261123T000000Z is now earlier than 20261123T000001Z (20261123T000501Z - 5 min.)",
    )
    assert error_of(request, T0 - 301) == (
        "InvalidSignatureException",
        "Signature not yet current: 20261123T000000Z is still later than 20261122T235959Z (20261122T235459Z + 5 min.)",
    )


def test_a_token_expires_at_its_time():
    request = signed(ROLE, at=3_600)
    CHECK.check(request, T0 + 3_599)
    assert error_of(request, T0 + 3_600) == (
        "ExpiredTokenException",
        "The security token included in the request is expired",
    )


@pytest.mark.parametrize(
    "credentials",
    [
        Credentials("AKIDUNKNOWN", "secret"),
        Credentials("ASIAROLE", "role's secret"),
        Credentials("ASIAROLE", "role's secret", session_token="another"),
        Credentials("AKIDUSER", "user's secret/+", session_token="token=="),
    ],
    ids=["key", "no token", "another token", "token too many"],
)
def test_unknown_keys_and_tokens_are_not_recognized(credentials):
    assert error_of(signed(credentials)) == (
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    )


def test_a_request_without_a_signature_is_rejected():
    missing = ("MissingAuthenticationTokenException", "Missing Authentication Token")
    assert error_of(altered(signed(), authorization=None)) == missing


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"authorization": "Basic Zm9v"}, "Authorization header requires 'Credential' parameter. Authorization header"),
        ({"authorization": "AWS4 Credential=a,Signature=b, SignedHeaders=c"}, "Unsupported AWS 'algorithm': 'AWS4'."),
        (
            {"authorization": "AWS4-HMAC-SHA256 Credential=a/b"},
            (
                "Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' "
                "parameter. Authorization=AWS4-HMAC-SHA256 Credential=a/b"
            ),
        ),
        ({"x_amz_date": None}, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' "),
        ({"x_amz_date": "yesterday"}, "Date must be in ISO-8601 'basic format'. Got 'yesterday'."),
        ({"x_amz_date": None, "date": "today"}, "Date must be in ISO-8601 'basic format'. Got 'today'."),
    ],
)
def test_the_error_for_an_incomplete_header_names_the_missing_part(headers, message):
    code, text = error_of(altered(signed(), **headers))
    assert code == "IncompleteSignatureException"
    assert text.startswith(message)


def test_the_scope_must_be_this_service_region_and_day():
    assert error_of(signed(region="eu-west-1"))[1] == "Credential should be scoped to a valid region, not 'eu-west-1'. "
    assert error_of(signed(service="s3"))[1] == "Credential should be scoped to correct service: 'kinesis'. "
    yesterday = altered(signed(), x_amz_date="20261122T235900Z")
    assert error_of(yesterday)[1] == (
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
        "'20261123' != '20261122', from '20261122T235900Z'."
    )
    header = signed().headers["authorization"]
    assert "exactly 5" in error_of(altered(signed(), authorization=header.replace("/aws4_request", "")))[1]
    assert error_of(altered(signed(), authorization=header.replace("host;", "")))[1].startswith("'Host'")


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("access_key_id", {"access_key_id": ""}),
        ("secret_access_key", {"secret_access_key": ""}),
        ("expires_at", {"expires_at": T0}),
    ],
)
def test_invalid_credentials_are_rejected(field, options):
    with pytest.raises(InvalidArgumentError) as caught:
        Credentials(**options)
    assert caught.value.argument == field


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("X-Amz-Credential=a", "Missing Authentication Token"),
        (
            "X-Amz-Algorithm=a&X-Amz-Credential=b&X-Amz-Signature=c&X-Amz-Date=d",
            "AWS query-string parameters must include 'X-Amz-SignedHeaders'. Re-examine the query-string parameters.",
        ),
    ],
)
def test_the_parameters_of_a_signed_query_are_checked(query, message):
    assert error_of(altered(signed(), authorization=None)._replace(query=query))[1] == message


def test_a_signature_in_both_header_and_query_is_rejected():
    assert error_of(signed()._replace(query="X-Amz-Algorithm")) == (
        "InvalidSignatureException",
        "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.",
    )
