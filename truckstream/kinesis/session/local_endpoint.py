"""Whether an endpoint is a server on this machine, such as a local Kinesis."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

__all__ = ["is_on_this_machine"]


def is_on_this_machine(endpoint_url: str | None) -> bool:
    """Return whether the host of a URL is a loopback address, `localhost`, or a name below `localhost`.

    Names below `localhost` are this machine's by RFC 6761, and local servers use them to tell services apart. A
    malformed URL is not on this machine.
    """
    try:
        host = urlsplit(endpoint_url or "").hostname or ""
    except ValueError:  # such as "http://["
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
