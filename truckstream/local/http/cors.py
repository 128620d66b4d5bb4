"""What lets a page in a browser call the service: it allows every origin, as the service does (recorded from it)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["is_preflight", "of_answer", "of_preflight"]

_EXPOSED: Final = "x-amzn-RequestId,x-amzn-ErrorType,x-amz-request-id,x-amz-id-2,x-amzn-ErrorMessage,Date"
#: What a browser asks for -> what it is allowed.
_ASKED: Final = {
    "Access-Control-Request-Headers": "Access-Control-Allow-Headers",
    "Access-Control-Request-Method": "Access-Control-Allow-Methods",
}


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a browser asks what it may send."""
    return method == "OPTIONS" and "Origin" in headers


def of_preflight(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that answer it: all that it asks for, for two days."""
    allowed = {allows: headers[asks] for asks, allows in _ASKED.items() if asks in headers}
    return {"Access-Control-Allow-Origin": "*", "Access-Control-Max-Age": "172800", **allowed}


def of_answer(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of the answer to a request with these; none to a client that is no browser."""
    if "Origin" not in headers:
        return {}
    return {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": _EXPOSED}
