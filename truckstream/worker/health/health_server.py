"""The health endpoint: GET /healthz and GET /readyz return 200 or 503, and the report as JSON.

The report has ids, counts and errors of the store, and nothing of the records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import msgspec
from aiohttp import web

from truckstream.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from truckstream.worker.health.health_report import HealthReport

__all__ = ["HealthServer"]


class HealthServer:
    """Serves the health of a worker while its context is open.

    Args:
        report: returns the present health.
        port: the port; 0 takes a free one.
        host: the address to listen on; None for all, which the probes of Kubernetes need.
    """

    def __init__(self, report: Callable[[], HealthReport], port: int, *, host: str | None = None) -> None:
        self._report = report
        self._host = host
        self._port = port
        application = web.Application()
        application.add_routes([web.get("/healthz", self._healthz), web.get("/readyz", self._readyz)])
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)

    @property
    def port(self) -> int:
        """The port, once the context is open."""
        port: int = self._runner.addresses[0][1]
        return port

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise ConfigurationError(
                "health_port", f"is {self._port}, which cannot be opened ({error})", "Choose a free port."
            ) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        report = self._report()
        return _response(report, is_good=report.is_healthy)

    async def _readyz(self, _: web.Request) -> web.Response:
        report = self._report()
        return _response(report, is_good=report.is_ready)


def _response(report: HealthReport, *, is_good: bool) -> web.Response:
    body = msgspec.json.encode(report)
    return web.Response(body=body, status=200 if is_good else 503, content_type="application/json")
