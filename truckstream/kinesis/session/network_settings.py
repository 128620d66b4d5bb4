"""The network settings of the user's session: proxies, certificates and arguments for aiohttp's connector.

aiobotocore's client keeps these in private attributes of the HTTP session that it makes. This file collects the same
values from public names, in the way in which botocore's `EndpointCreator.create_endpoint` does, and builds the same
TLS context as aiobotocore's `AIOHTTPSession` (aiobotocore 2.25.0 to 3.10.0, read 2026-11-27).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from truckstream.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AsyncExitStack

    import aiohttp
    from aiobotocore.httpsession import AIOHTTPSession

__all__ = ["NetworkSettings"]


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """How the user wants requests to reach the service."""

    #: A file of trusted certificates; True for the usual ones; an empty text or False accepts any certificate.
    verify: str | bool
    #: Our own certificate: a file, or a file and its key's file.
    client_certificate: str | tuple[str, str] | None
    #: URLs of proxies by scheme, and botocore's `proxies_config`.
    proxies: Mapping[str, str]
    proxies_config: Mapping[str, Any] | None
    connector_args: Mapping[str, Any]
    #: Seconds to connect, and seconds without a byte of the response.
    timeouts: tuple[float, float]
    max_connections: int

    @classmethod
    def of(cls, session: Any, client: Any) -> NetworkSettings:
        """Collect the settings of an aiobotocore session and of its client."""
        from botocore.utils import get_environ_proxies  # noqa: PLC0415 - loaded with the client

        config = client.meta.config
        verify = session.get_config_variable("ca_bundle")
        if verify is None:
            verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
        proxies = config.proxies
        return cls(
            verify=verify,
            client_certificate=config.client_cert,
            proxies=get_environ_proxies(client.meta.endpoint_url) if proxies is None else proxies,
            proxies_config=config.proxies_config,
            connector_args=config.connector_args or {},
            timeouts=(config.connect_timeout, config.read_timeout),
            max_connections=config.max_pool_connections,
        )

    def proxy_for(self, url: str) -> str | None:
        """Return the URL of the proxy for requests to `url`, if there is one."""
        from botocore.httpsession import ProxyConfiguration  # noqa: PLC0415 - loaded with the client

        proxy: str | None = ProxyConfiguration(self.proxies).proxy_url_for(url)
        return proxy

    @property
    def has_connector_args(self) -> bool:
        """Whether the user has set arguments that only aiohttp's connector understands."""
        return bool(self.connector_args.keys() - {"keepalive_timeout"})

    def tls_context(self) -> ssl.SSLContext:
        """Build the context for HTTPS. It reads files.

        Raises:
            ConfigurationError: a file of certificates is missing or malformed.
        """
        from botocore.httpsession import create_urllib3_context, get_cert_path  # noqa: PLC0415 - loaded with the client

        context: ssl.SSLContext = create_urllib3_context()
        context.check_hostname = bool(self.verify)
        if self.verify:
            trusted = get_cert_path(self.verify)
            with _certificates_in(trusted, "Check AWS_CA_BUNDLE, REQUESTS_CA_BUNDLE and ca_bundle in ~/.aws/config."):
                context.load_verify_locations(trusted)
        else:
            context.verify_mode = ssl.CERT_NONE
        if self.client_certificate:
            files = self.client_certificate
            with _certificates_in(files, "Check client_cert in the session's configuration."):
                context.load_cert_chain(*((files,) if isinstance(files, str) else files))
        return context

    async def open_aiohttp_session(self, proxy: str | None, resources: AsyncExitStack) -> aiohttp.ClientSession:
        """Open a session of aiohttp's for requests to `proxy`, if there is one; `resources` closes it."""
        from truckstream.kinesis.http.aiohttp_transport import make_session  # noqa: PLC0415 - where a proxy is needed

        if proxy and (self.proxies_config or self.client_certificate):
            aiobotocores = await resources.enter_async_context(self._aiobotocore_session())
            # Only aiobotocore keeps the proxy's certificates apart from the service's. Its public `send` follows
            # redirects: a POST would go to another address, and its records be reported as that address responds.
            # There is no public way to the session below it (aiobotocore 2.25.0 to 3.10.0, read 2026-11-27).
            session: aiohttp.ClientSession = await aiobotocores._get_session(proxy)  # noqa: SLF001
            return session
        tls = await asyncio.to_thread(self.tls_context)
        made = make_session(tls, self.max_connections, self.connector_args)
        return await resources.enter_async_context(made)

    def _aiobotocore_session(self) -> AIOHTTPSession:
        from aiobotocore.httpsession import AIOHTTPSession  # noqa: PLC0415 - loaded with the client

        return AIOHTTPSession(
            verify=self.verify,
            proxies=self.proxies,
            timeout=self.timeouts,
            max_pool_connections=self.max_connections,
            client_cert=self.client_certificate,
            proxies_config=self.proxies_config,
            connector_args=self.connector_args,
        )


@contextlib.contextmanager
def _certificates_in(files: str | tuple[str, str], hint: str) -> Iterator[None]:
    """Name `files` where they cannot be loaded; the errors of ssl do not."""
    try:
        yield
    except OSError as error:  # SSLError is one
        raise ConfigurationError("the certificates", f"in {files!r} cannot be loaded: {error}", hint) from error
