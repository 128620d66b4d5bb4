"""A certificate for this machine, made afresh by an authority that is forgotten with it."""

from __future__ import annotations

import ipaddress
import ssl
from contextlib import suppress
from typing import NamedTuple

from truckstream.errors import UsageError

__all__ = ["Certificate", "make_certificate"]


class Certificate(NamedTuple):
    """What a server serves with, and the authority that its clients must trust."""

    context: ssl.SSLContext
    ca_pem: str


def make_certificate(host: str) -> Certificate:
    """A certificate for `host` and for this machine's own names.

    Raises:
        UsageError: the package that makes it is not installed.
    """
    try:
        import trustme  # noqa: PLC0415 - it loads cryptography, for TLS alone
    except ModuleNotFoundError as missing:
        raise UsageError(f"TLS needs the package {missing.name}: pip install 'truckstream[local]'") from missing
    names = {"localhost", "127.0.0.1", "::1"}
    with suppress(ValueError):
        if ipaddress.ip_address(host).is_unspecified:
            host = "localhost"  # it listens everywhere, and is nobody's name
    authority = trustme.CA(organization_name="truckstream local Kinesis")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["h2", "http/1.1"])
    authority.issue_cert(*sorted(names | {host})).configure_cert(context)
    return Certificate(context, authority.cert_pem.bytes().decode())
