"""Makes a certificate for this machine, with a certificate authority that exists only for it."""

from __future__ import annotations

import ipaddress
import ssl
from contextlib import suppress
from typing import NamedTuple

from truckstream.errors import UsageError

__all__ = ["Certificate", "make_certificate"]


class Certificate(NamedTuple):
    """The TLS context of a server, and the authority that its clients must trust, as PEM."""

    context: ssl.SSLContext
    ca_pem: str


def make_certificate(host: str) -> Certificate:
    """Return a certificate for `host` and for the local names of this machine.

    Raises:
        UsageError: the package trustme is not installed.
    """
    try:
        import trustme  # noqa: PLC0415 - it loads cryptography, for TLS alone
    except ModuleNotFoundError as missing:
        raise UsageError(f"TLS needs the package {missing.name}: pip install 'truckstream[local]'") from missing
    names = {"localhost", "127.0.0.1", "::1"}
    with suppress(ValueError):
        if ipaddress.ip_address(host).is_unspecified:
            host = "localhost"  # the address of all interfaces, which clients do not connect to
    authority = trustme.CA(organization_name="truckstream local Kinesis")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["h2", "http/1.1"])
    authority.issue_cert(*sorted(names | {host})).configure_cert(context)
    return Certificate(context, authority.cert_pem.bytes().decode())
