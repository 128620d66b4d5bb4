"""AWS Signature Version 4 as the service checks it: the signer, the age, the scope and the integrity of a request.

Written from the documentation ("AWS API request signatures"). It shares no code with a client's signer, so that it can
judge one. It reads signatures in the Authorization header, and no presigned URLs. The error messages are those that
users of the service report; [rec] marks messages that were recorded from Kinesis itself.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qsl, quote

import msgspec

from truckstream.errors import InvalidArgumentError
from truckstream.local.service.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Credentials", "SignatureCheck", "SignedRequest", "check_age"]

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_SERVICE: Final = "kinesis"
#: "Requests must reach AWS within five minutes of the time stamp in the signature."
_WINDOW_SECONDS: Final = 300.0
_TIME_FORMAT: Final = "%Y%m%dT%H%M%SZ"
_SPACES: Final = re.compile(" +")
_SEPARATORS: Final = re.compile("[, ]")


class Credentials(msgspec.Struct, frozen=True):
    """Access keys that the local service accepts.

    Raises:
        InvalidArgumentError: a key is empty, or `expires_at` is set without a session token.
    """

    access_key_id: str = "local"
    secret_access_key: str = "local"  # noqa: S105 - it guards nothing
    #: Session token of temporary credentials; None for long-term keys.
    session_token: str | None = None
    #: Time from which the token is rejected, in seconds since the epoch; None for never.
    expires_at: float | None = None

    def __post_init__(self) -> None:
        for name in ("access_key_id", "secret_access_key"):
            if not getattr(self, name):
                raise InvalidArgumentError(name, "", "must not be empty")
        if self.expires_at is not None and self.session_token is None:
            raise InvalidArgumentError("expires_at", self.expires_at, "only credentials with a session_token expire")


class SignedRequest(NamedTuple):
    """A request as it was received.

    `path` and `query` are still percent-encoded. `headers` maps lower-case names to values; the values of a repeated
    header are joined by commas.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


class _Authorization(NamedTuple):
    """The parts of the Authorization header, and the time of signing."""

    access_key_id: str
    scope: str
    signed_headers: list[str]
    signature: str
    #: The X-Amz-Date header.
    signed_at: str


class SignatureCheck:
    """Rejects requests that are not signed with one of `credentials` for Kinesis in `region`."""

    def __init__(self, credentials: tuple[Credentials, ...], region: str) -> None:
        self._credentials = {known.access_key_id: known for known in credentials}
        self._region = region

    def check(self, request: SignedRequest, now: float) -> None:
        """Check the signature of a request; `now` is in seconds since the epoch.

        Raises:
            RefusedError: with the service's code and message for the first check that fails: form of the header,
                time, scope, key, token, signature.
        """
        authorization = _read_authorization(request)
        signed_at = authorization.signed_at
        check_age(signed_at, now)
        self._check_scope(authorization, signed_at)
        known = self._credentials.get(authorization.access_key_id)
        if known is None or request.headers.get("x-amz-security-token") != known.session_token:
            text = "The security token included in the request is invalid."  # [rec]
            raise RefusedError("UnrecognizedClientException", text)
        if known.expires_at is not None and now >= known.expires_at:
            text = "The security token included in the request is expired"  # [rec]
            raise RefusedError("ExpiredTokenException", text)
        canonical = _canonical_request(request, authorization.signed_headers)
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        to_sign = f"{_ALGORITHM}\n{signed_at}\n{authorization.scope}\n{digest}"
        if not hmac.compare_digest(_sign(known, authorization.scope, to_sign), authorization.signature):
            raise _invalid_signature(
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
                "Access Key and signing method. Consult the service documentation for details.\n\n"
                f"The Canonical String for this request should have been\n'{canonical}'\n\n"
                f"The String-to-Sign should have been\n'{to_sign}'\n"
            )

    def _check_scope(self, authorization: _Authorization, signed_at: str) -> None:
        parts = authorization.scope.split("/")
        if len(parts) != 4 or parts[3] != "aws4_request":  # noqa: PLR2004 - date, region, service, terminator
            raise _invalid_signature(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term."
            )
        date, region, service, _ = parts
        if region != self._region:
            raise _invalid_signature(f"Credential should be scoped to a valid region, not '{region}'. ")
        if service != _SERVICE:
            raise _invalid_signature(f"Credential should be scoped to correct service: '{_SERVICE}'. ")
        if date != signed_at[:8]:
            raise _invalid_signature(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
                f"'{date}' != '{signed_at[:8]}', from '{signed_at}'."
            )
        if "host" not in authorization.signed_headers:
            raise _invalid_signature("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")


def check_age(signed_at: str, now: float) -> None:
    """Reject a request that was signed more than five minutes before or after `now`.

    Args:
        signed_at: the X-Amz-Date header; an unsigned request passes.
        now: seconds since the epoch.

    Raises:
        RefusedError: InvalidSignatureException, whose message has both times.
    """
    moment = _parse_time(signed_at)
    if moment is None:
        return
    if moment < now - _WINDOW_SECONDS:
        limit = _format_time(now - _WINDOW_SECONDS)
        raise _invalid_signature(
            f"Signature expired: {signed_at} is now earlier than {limit} ({_format_time(now)} - 5 min.)"
        )
    if moment > now + _WINDOW_SECONDS:
        limit = _format_time(now + _WINDOW_SECONDS)
        raise _invalid_signature(
            f"Signature not yet current: {signed_at} is still later than {limit} ({_format_time(now)} + 5 min.)"
        )


def _parse_time(text: str) -> float | None:
    try:
        return datetime.strptime(text, _TIME_FORMAT).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _format_time(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime(_TIME_FORMAT)


def _invalid_signature(text: str) -> RefusedError:
    return RefusedError("InvalidSignatureException", text)


def _read_authorization(request: SignedRequest) -> _Authorization:
    headers = request.headers
    header = headers.get("authorization", "")
    _check_query(request.query, is_in_header=bool(header))
    if not header:
        raise RefusedError("MissingAuthenticationTokenException", "Missing Authentication Token")  # [rec]
    scheme, *rest = filter(None, _SEPARATORS.split(header))
    parts = {name: value for name, _, value in (part.partition("=") for part in rest)}
    signed_at = headers.get("x-amz-date", "")
    problems = [
        f"Authorization header requires '{name}' parameter. "
        for name in ("Credential", "Signature", "SignedHeaders")
        if not parts.get(name)
    ]
    if not (signed_at or headers.get("date")):
        problems.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ")
    if problems:  # [rec]
        raise _incomplete(f"{''.join(problems)}Authorization={header}")
    if scheme != _ALGORITHM:
        raise _incomplete(f"Unsupported AWS 'algorithm': '{scheme}'.")
    if _parse_time(signed_at) is None:
        raise _incomplete(f"Date must be in ISO-8601 'basic format'. Got '{signed_at or headers['date']}'.")
    access_key_id, _, scope = parts["Credential"].partition("/")
    return _Authorization(access_key_id, scope, parts["SignedHeaders"].split(";"), parts["Signature"], signed_at)


def _check_query(query: str, *, is_in_header: bool) -> None:
    """Reject an incomplete signature in the query, or a second one beside the header. All messages are recorded."""
    given = dict(parse_qsl(query, keep_blank_values=True))
    if "X-Amz-Algorithm" not in given:
        return
    if is_in_header:
        raise _invalid_signature(
            "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."
        )
    problems = [
        f"AWS query-string parameters must include '{name}'. "
        for name in ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date")
        if not given.get(name)
    ]
    if problems:
        raise _incomplete(f"{''.join(problems)}Re-examine the query-string parameters.")


def _incomplete(text: str) -> RefusedError:
    return RefusedError("IncompleteSignatureException", text)


def _canonical_request(request: SignedRequest, signed_headers: list[str]) -> str:
    """Return the canonical request, which both sides sign."""
    pairs = parse_qsl(request.query, keep_blank_values=True)
    lines = [
        request.method,
        quote(request.path, safe="/-_.~"),  # received encoded once, signed encoded twice
        "&".join(sorted(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs)),
        *(f"{name}:{_SPACES.sub(' ', request.headers.get(name, '').strip())}" for name in signed_headers),
        "",
        ";".join(signed_headers),
        hashlib.sha256(request.body).hexdigest(),
    ]
    return "\n".join(lines)


def _sign(credentials: Credentials, scope: str, text: str) -> str:
    key = f"AWS4{credentials.secret_access_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), hashlib.sha256)
    return hmac.digest(key, text.encode(), hashlib.sha256).hex()
