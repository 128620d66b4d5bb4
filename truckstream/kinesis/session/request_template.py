"""The parts that all requests of one operation share, taken from a request that aiobotocore has prepared.

aiobotocore knows endpoints, user agents and header rules in all their variants. So it prepares one request of each
operation, and that request is the template for all others: the same URL, the same headers, and a `Signer` for the
region, the service and the headers that its own signature covers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, urlsplit

from truckstream.errors import ConfigurationError
from truckstream.kinesis.http.http1 import MAX_BODY_BYTES, header_lines
from truckstream.kinesis.session.signing import ALGORITHM, Signer

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DEFAULT_PORTS", "RequestTemplate", "template_from"]

DEFAULT_PORTS: Final = {"http": 80, "https": 443}

#: Headers that belong to one request and not to the operation. Lambda's trace id is that of one invocation.
_HEADERS_OF_ONE_REQUEST: Final = {
    *("amz-sdk-invocation-id", "amz-sdk-request", "authorization", "content-length", "expect"),
    *("x-amz-date", "x-amz-security-token", "x-amzn-trace-id"),
}


@dataclass(frozen=True, slots=True)
class RequestTemplate:
    """The parts that all requests of one operation share."""

    url: str
    headers: Mapping[str, str]
    #: Scheme, host and port of the URL.
    origin: str
    #: The request line and the headers as they are sent, without the empty line that ends a request's head.
    head: bytes
    #: None when the session's requests are not signed.
    signer: Signer | None
    #: The longest body of a response; a longer one is malformed.
    max_response_bytes: int = MAX_BODY_BYTES


def template_from(prepared: Any, max_response_bytes: int = MAX_BODY_BYTES) -> RequestTemplate:
    """Return the template in `prepared`, an AWSPreparedRequest that aiobotocore has signed."""
    headers = {name.lower(): _text(value) for name, value in prepared.headers.items()}
    shared = {name: value for name, value in headers.items() if name not in _HEADERS_OF_ONE_REQUEST}
    parts = urlsplit(prepared.url)
    shared["host"] = shared.get("host") or _host_header(parts)
    shared["accept-encoding"] = "identity"  # aiobotocore's sessions do not decompress
    signature = headers.get("authorization")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return RequestTemplate(
        url=prepared.url,
        headers=shared,
        origin=f"{parts.scheme}://{parts.netloc}",
        head=f"POST {target} HTTP/1.1\r\n".encode() + header_lines(shared),
        signer=_signer_from(signature, parts.path, shared) if signature else None,
        max_response_bytes=max_response_bytes,
    )


def _signer_from(authorization: str, path: str, headers: Mapping[str, str]) -> Signer:
    """Return a signer for the region, service and headers that an Authorization header names."""
    algorithm, _, rest = authorization.partition(" ")
    if algorithm != ALGORITHM:
        hint = "Leave the session's signature_version at its default."
        raise ConfigurationError("session", f"signs with {algorithm!r}, which is not supported", hint)
    fields = dict(field.strip().split("=", 1) for field in rest.split(","))
    *_, region, service, _ = fields["Credential"].split("/")
    signed = {name: headers[name] for name in fields["SignedHeaders"].split(";") if name not in _HEADERS_OF_ONE_REQUEST}
    return Signer(region=region, service=service, path=path, headers=signed)


def _host_header(url: SplitResult) -> str:
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname or ""
    return host if url.port in {None, DEFAULT_PORTS[url.scheme]} else f"{host}:{url.port}"


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode()
