"""Calls to the service. Each one ends with a report to the core, also if it fails or is cancelled."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.kinesis.responses import StreamSummary

if TYPE_CHECKING:
    from truckstream.kinesis.client import StreamClient
    from truckstream.producer.core import ProducerCore
    from truckstream.producer.loop_binding import LoopBinding
    from truckstream.producer.queueing.request import Request

__all__ = ["ServiceCalls"]

#: Logs failures by kind, code and count. The service's messages may quote a key, a header or a record: they are in the
#: errors that are raised, and never in the log.
_logger = logging.getLogger("truckstream.producer")


class ServiceCalls:
    """The calls of one producer."""

    def __init__(self, client: StreamClient, core: ProducerCore, loop_binding: LoopBinding) -> None:
        self._client = client
        self._core = core
        self._loop_binding = loop_binding

    async def connect(self) -> None:
        """Open the client, and pass the stream's limits and shards to the core.

        Raises:
            StreamNotFoundError: there is no such stream in this account and region.
            ServiceError: the service cannot be reached, or rejects the calls.
        """
        await self._client.open()
        shards, summary = await asyncio.gather(
            self._client.list_shards(), self._client.summary(), return_exceptions=True
        )
        if isinstance(summary, StreamSummary):
            self._core.on_summary(summary)
        elif not isinstance(summary, RequestFailedError):  # a producer works without the summary
            raise summary
        if isinstance(shards, RequestFailedError):
            if shards.kind is FailureKind.PERMANENT and "AccessDenied" in shards.code:
                # Least privilege may leave the listing out. Then the stream is paced as a whole.
                _logger.warning("%s: the shards cannot be listed, so the stream is paced as a whole", shards.code)
            else:
                raise shards.to_service_error() from shards
        elif isinstance(shards, BaseException):
            raise shards
        else:
            self._core.on_shards(shards, self._loop_binding.time())

    async def send(self, request: Request) -> None:
        """Make one PutRecords call."""
        try:
            responses = await self._client.put_records(request.parcels)
            self._core.on_responses(request, responses, self._loop_binding.time())
        except RequestFailedError as failure:
            _logger.info("a request of %d records failed: %s (%s)", request.records, failure.code, failure.kind.value)
            self._core.on_failure(request, failure, self._loop_binding.time())
        except Exception as error:
            # A defect, here or in the client. The records must not vanish with it.
            _logger.exception("a request of %d records failed unexpectedly", request.records)
            self._on_unknown_outcome(request, type(error).__name__, str(error))

    async def list_shards(self) -> None:
        """List the shards again."""
        try:
            self._core.on_shards(await self._client.list_shards(), self._loop_binding.time())
            _logger.info("the shards were listed again: %s", self._core.stats(self._loop_binding.time()))
        except RequestFailedError as failure:
            _logger.info("listing the shards failed: %s (%s)", failure.code, failure.kind.value)
            self.on_listing_failed()
        except Exception:
            _logger.exception("listing the shards failed unexpectedly")
            self.on_listing_failed()

    def on_send_cancelled(self, request: Request) -> None:
        """Report that the task of `send` was cancelled: by closing, or by a program that cancels all its tasks.

        Without this report the request would stay in flight for ever, and `close` would wait for it.
        """
        self._on_unknown_outcome(request, "Cancelled", "its task was cancelled")

    def on_listing_failed(self) -> None:
        """Report that the call of `list_shards` failed, or its task was cancelled."""
        self._core.on_shards_failure(self._loop_binding.time())

    def _on_unknown_outcome(self, request: Request, code: str, message: str) -> None:
        failure = RequestFailedError(FailureKind.AMBIGUOUS, code, message)
        self._core.on_failure(request, failure, self._loop_binding.time())
