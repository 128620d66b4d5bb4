"""Which names a client may call the server by, and which pages in a browser may call it.

A browser sends the requests of any page to any server that it can reach, also to one that only listens on this machine.
Two headers, which no page can change, show whether the user wants that:

- `Host` is the name that the page called. A page whose own name was made to resolve to 127.0.0.1 ("DNS rebinding")
  sends that name, and could read every response.
- `Origin` is the page itself. Without a check, any page could change and delete streams, even if it cannot read the
  responses.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Final

from truckstream.errors import InvalidArgumentError
from truckstream.local.service.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["AllowedHosts", "check_host_name"]

_NAME: Final = r"[a-z0-9_.-]+"
_HOST: Final = rf"(\[[0-9a-f:.]+\]|{_NAME})"
_HOST_AND_PORT: Final = re.compile(rf"{_HOST}(?::\d{{1,5}})?", re.IGNORECASE | re.ASCII)
_ORIGIN: Final = re.compile(rf"https?://{_HOST}(?::\d{{1,5}})?", re.IGNORECASE | re.ASCII)
#: Number of header values whose result is kept. A client sends the same one with each request.
_CACHED: Final = 64


def check_host_name(name: str) -> None:
    """Check a name to allow, such as "kinesis" or "192.168.1.5".

    Raises:
        InvalidArgumentError: it is not the name or the address of a host.
    """
    if _address(name) is None and not re.fullmatch(_NAME, name, re.IGNORECASE | re.ASCII):
        raise InvalidArgumentError("allowed_hosts", name, "must be a host's name or address without a scheme and port")


class AllowedHosts:
    """Accepts this machine's loopback names and addresses, the host that the server listens on, and further names.

    A server that listens on all addresses is called by any of them, and through a forwarded port by those of other
    machines. So it accepts every IP address as `Host`. DNS rebinding needs a name, so that an address is safe.

    Args:
        listens_on: the name or address that the server listens on.
        names: further names and addresses of the server, and of pages that may call it.
    """

    def __init__(self, listens_on: str, names: Iterable[str] = ()) -> None:
        address = _address(listens_on)
        self._any_address = listens_on == "" or (address is not None and address.is_unspecified)
        self._known = {_normal(name) for name in (*names, *(() if self._any_address else (listens_on,)))}
        self.allows_host = lru_cache(_CACHED)(self._allows_host)
        self.allows_origin = lru_cache(_CACHED)(self._allows_origin)

    def check(self, hosts: Iterable[str], origins: Iterable[str]) -> None:
        """Check the names that a request calls the server by, and the page that sends it.

        Args:
            hosts: the `Host` headers, and the host of the request's target if that is a whole URL.
            origins: the `Origin` headers; none from a client that is not a browser.

        Raises:
            RefusedError: one of them is not allowed (AccessDeniedException).
        """
        for host in hosts:
            if not self.allows_host(host):
                raise _refusal("Host", host)
        for origin in origins:
            if not self.allows_origin(origin):
                raise _refusal("Origin", origin)

    def _allows_host(self, host: str) -> bool:
        found = _HOST_AND_PORT.fullmatch(host)
        if found is None:
            return False
        return self._is_known(found[1]) or (self._any_address and _address(found[1]) is not None)

    def _allows_origin(self, origin: str) -> bool:
        found = _ORIGIN.fullmatch(origin)
        return found is not None and self._is_known(found[1])

    def _is_known(self, host: str) -> bool:
        name = _normal(host)
        address = _address(name)
        if address is not None and _is_loopback(address):
            return True
        # Browsers resolve every name below .localhost to this machine, without asking DNS (RFC 6761).
        return name in self._known or name == "localhost" or name.endswith(".localhost")


def _refusal(header: str, value: str) -> RefusedError:
    shown = value if len(value) <= 100 else f"{value[:100]}..."  # noqa: PLR2004 - enough to recognise it
    return RefusedError(
        "AccessDeniedException",
        f"{header} is {shown!r}: must name this machine (localhost, 127.0.0.1) or an allowed host. To allow one, start "
        "the local Kinesis with --allow-host NAME, or LocalKinesis(allowed_hosts=[NAME]).",
    )


def _normal(host: str) -> str:
    """Return one form for all spellings of a name or address."""
    address = _address(host)
    return str(address) if address is not None else host.lower().removesuffix(".")


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None


def _is_loopback(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback
