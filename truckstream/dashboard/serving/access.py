"""Who may see the page.

By default only this machine can connect, and nobody has to log in. But a browser on this machine runs pages of the
whole internet, and each of them may send requests here. So the name in `Host` must be one of this machine: a page whose
own name was made to resolve to 127.0.0.1 ("DNS rebinding") sends its own. `Origin` must be this server, where it is
sent.

A server that other machines can reach needs a token. It comes once in the address, then in a cookie, so that it stays
neither in the browser's history nor in a bookmark; a program sends it as `Authorization: Bearer`.
"""

from __future__ import annotations

import hmac
from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from truckstream.local.http.security.allowed_hosts import AllowedHosts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["SECURITY_HEADERS", "Access", "is_loopback"]

#: Everything comes from this server. No script and no style stands in the page itself, none is evaluated, and no text
#: becomes markup: a browser refuses to, also if the page has a defect.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; "
    "script-src 'self'; "
    "style-src 'self'; "
    "connect-src 'self'; "
    "img-src 'self'; "
    "base-uri 'none'; "
    "form-action 'none'; "
    "frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; "
    "trusted-types 'none'; "
)

#: Headers of each response.
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), camera=(), microphone=()",
}


def is_loopback(host: str) -> bool:
    """Return whether only this machine can connect to a server that listens on `host`."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Access:
    """Decides about each request.

    Args:
        host: the address that the server listens on.
        token: the token that a request must have; None if it needs none.
        names: further names that the server may be called by.
    """

    def __init__(self, host: str, token: str | None, names: Iterable[str] = ()) -> None:
        self._hosts = AllowedHosts(host, names)
        self._token = token

    def refusal(
        self, headers: Mapping[str, str], cookie: str | None, query_token: str | None
    ) -> tuple[HTTPStatus, str] | None:
        """Return the status and the text that a request is refused with; None if it is allowed.

        Args:
            headers: the request's headers; their names are compared without regard to case.
            cookie: the value of the cookie with the token.
            query_token: the token in the request's address.
        """
        if not self._hosts.allows_host(headers.get("Host", "")):
            return HTTPStatus.FORBIDDEN, "Host must name this machine. Allow another name with --allow-host NAME."
        origin = headers.get("Origin")
        if origin is not None and origin.partition("://")[2].lower() != headers.get("Host", "").lower():
            return HTTPStatus.FORBIDDEN, "Only the dashboard's own page may send this."
        if self._token is None:
            return None
        bearer = headers.get("Authorization", "").removeprefix("Bearer ")
        # Each is compared, so that the time does not show which of them was right.
        are_tokens = [self.is_token(each) for each in (cookie, query_token, bearer)]
        if not any(are_tokens):
            return HTTPStatus.UNAUTHORIZED, "The dashboard needs its token: open the address that the command printed."
        return None

    def is_token(self, text: str | None) -> bool:
        """Return whether a text is the token. It takes as long for a text that is almost right."""
        return self._token is not None and hmac.compare_digest((text or "").encode(), self._token.encode())
