"""Client of the paths in `control`: the methods of `FaultyService`, for a local Kinesis in another process."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec

from truckstream.local.http.control import CALL_PATH, FAULTS_PATH, STATS_PATH, STORED_PATH
from truckstream.local.kinesis_stats import KinesisStats
from truckstream.local.service.errors import RefusedError
from truckstream.local.stored_records import StoredPage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from truckstream.local.faults.fault import Fault

__all__ = ["ControlClient"]


class ControlClient:
    """Requests the control paths of an endpoint.

    Args:
        endpoint_url: the endpoint.
        ca_pem: with HTTPS, the certificate authority to trust, as PEM.
    """

    def __init__(self, endpoint_url: str, ca_pem: str) -> None:
        self._endpoint_url = endpoint_url
        self._tls = ssl.create_default_context(cadata=ca_pem) if ca_pem else True

    async def stats(self) -> KinesisStats:
        return msgspec.json.decode(await self._request("GET", STATS_PATH), type=KinesisStats)

    async def inject(self, faults: Iterable[Fault]) -> None:
        await self._request("POST", FAULTS_PATH, msgspec.json.encode(list(faults)))

    async def clear_faults(self) -> None:
        await self._request("DELETE", FAULTS_PATH)

    async def stored_page(self, stream_name: str, shard_id: str, place: int) -> StoredPage:
        query = {"stream": stream_name, "shard": shard_id, "place": str(place)}
        return msgspec.msgpack.decode(await self._request("GET", STORED_PATH, query=query), type=StoredPage)

    async def call(self, operation: str, members: dict[str, Any]) -> dict[str, Any]:
        body = await self._request("POST", CALL_PATH, msgspec.json.encode(members), {"operation": operation})
        document: dict[str, Any] = msgspec.json.decode(body) if body else {}
        return document

    async def _request(self, method: str, path: str, body: bytes = b"", query: dict[str, str] | None = None) -> bytes:
        url, headers = f"{self._endpoint_url}{path}", {"Content-Type": "application/json"} if body else {}
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, url, params=query, data=body, headers=headers, ssl=self._tls) as response,
        ):
            content = await response.read()
        if response.status != 200:  # noqa: PLR2004 - HTTP's OK
            document = msgspec.json.decode(content) if content else {}
            raise RefusedError(document.get("__type", str(response.status)), document.get("message", ""))
        return content
