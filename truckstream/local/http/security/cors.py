"""CORS headers, which let a page in a browser call the server and read the responses.

The service allows every page [rec]. Here only the pages that `allowed_hosts` accepts get these headers: requests of all
others are refused before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["cors_headers", "is_preflight", "preflight_headers"]

_EXPOSED: Final = "x-amzn-RequestId,x-amzn-ErrorType,x-amz-request-id,x-amz-id-2,x-amzn-ErrorMessage,Date"
#: The headers of a preflight request -> the headers of its response.
_ALLOWED_BY_REQUESTED: Final = {
    "Access-Control-Request-Headers": "Access-Control-Allow-Headers",
    "Access-Control-Request-Method": "Access-Control-Allow-Methods",
}


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    """Return whether a browser asks which requests it may send."""
    return method == "OPTIONS" and "Origin" in headers


def preflight_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of the response to a preflight request. They allow everything it asks for, for two days."""
    allowed = {allow: headers[name] for name, allow in _ALLOWED_BY_REQUESTED.items() if name in headers}
    return {**_allow_origin(headers), "Access-Control-Max-Age": "172800", **allowed}


def cors_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the CORS headers of the response to a request; none if the client is not a browser."""
    if "Origin" not in headers:
        return {}
    return {**_allow_origin(headers), "Access-Control-Expose-Headers": _EXPOSED}


def _allow_origin(headers: Mapping[str, str]) -> dict[str, str]:
    """Allow the page that sends the request, and no other one from a cache."""
    return {"Access-Control-Allow-Origin": headers["Origin"], "Vary": "Origin"}
