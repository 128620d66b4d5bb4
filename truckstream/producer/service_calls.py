"""Calls to the service. Each one ends in time, with a report to the core, also if it fails or is cancelled."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING, Final

from truckstream.kinesis.attempt import Attempt, current_attempt
from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.kinesis.responses import StreamSummary
from truckstream.producer.pacing.opening_retries import OpeningRetries
from truckstream.producer.pacing.retry_backoff import RetryBackoff

if TYPE_CHECKING:
    from truckstream.kinesis.client import StreamClient
    from truckstream.producer.core import ProducerCore
    from truckstream.producer.loop_binding import LoopBinding
    from truckstream.producer.queueing.request import Request

__all__ = ["ServiceCalls"]

#: Logs failures by kind, code and count. The service's messages may quote a key, a header or a record: they are in the
#: errors that are raised, and never in the log.
_logger = logging.getLogger("truckstream.producer")

#: Seconds that a call about the stream may take while the producer is open: all pages of a listing, for example.
STREAM_CALL_SECONDS: Final = 30.0


class ServiceCalls:
    """The calls of one producer."""

    def __init__(self, client: StreamClient, core: ProducerCore, loop_binding: LoopBinding) -> None:
        self._client = client
        self._core = core
        self._loop_binding = loop_binding

    async def connect(self, seconds: float) -> None:
        """Open the client, and pass the stream's limits and shards to the core.

        After a failure that a put would survive it tries again, for `seconds` in all.

        Raises:
            StreamNotFoundError: there is no such stream in this account and region.
            ServiceError: the service cannot be reached, or rejects the calls; the last failure.
        """
        deadline = self._loop_binding.time() + seconds
        retries = OpeningRetries(RetryBackoff(random.Random()), deadline)
        failure: RequestFailedError | None = None
        listing = Attempt()
        current_attempt.set(listing)
        limit = asyncio.timeout_at(deadline)
        try:
            async with limit:
                await self._client.open()
                while failure := await self._read_stream():
                    self._core.last_failure = failure.to_service_error()
                    at = retries.retry_at(failure, self._loop_binding.time())
                    if at is None:
                        raise failure.to_service_error() from failure
                    _logger.warning("opening failed, and is tried again: %s (%s)", failure.code, failure.kind.value)
                    await asyncio.sleep(at - self._loop_binding.time())
                self._core.last_failure = None
        except TimeoutError as error:
            if not limit.expired():
                raise
            text = f"the shards could not be listed within {seconds:g} s: the attempt ended {listing.progress}"
            last = failure or RequestFailedError(FailureKind.NOT_SENT, "TimeoutError", text)
            raise last.to_service_error() from failure or error

    async def _read_stream(self) -> RequestFailedError | None:
        """Pass the stream's limits and shards to the core, or return the failure that prevents it."""
        shards, summary = await asyncio.gather(
            self._client.list_shards(), self._client.summary(), return_exceptions=True
        )
        now = self._loop_binding.time()
        if isinstance(summary, StreamSummary):
            self._core.on_summary(summary, now)
            if summary.status == "CREATING":  # such a stream cannot be found by ListShards
                return RequestFailedError(FailureKind.NOT_SENT, "CREATING", "the stream is being created")
        elif isinstance(summary, RequestFailedError):  # a producer works without the summary
            self._on_summary_failure(summary)
        else:
            raise summary
        if isinstance(shards, RequestFailedError):
            if shards.kind is FailureKind.PERMANENT and "AccessDenied" in shards.code:
                # Least privilege may leave the listing out. Then the stream is paced as a whole.
                _logger.warning("%s: the shards cannot be listed, so the stream is paced as a whole", shards.code)
                return None
            return shards
        if isinstance(shards, BaseException):
            raise shards
        self._core.on_shards(shards, now)
        return None

    async def send(self, request: Request) -> None:
        """Make one PutRecords call, which ends at the request's deadline."""
        current_attempt.set(request.attempt)
        limit = asyncio.timeout_at(request.deadline)
        try:
            async with limit:
                responses = await self._client.put_records(request.parcels)
            self._core.on_responses(request, responses, self._loop_binding.time())
        except RequestFailedError as failure:
            self._on_request_failed(request, failure)
        except Exception as error:
            if limit.expired():
                self._on_request_failed(request, _failure_at_deadline(request))
                return
            # A defect, here or in the client. The records must not vanish with it.
            _logger.exception("a request of %d records failed unexpectedly", request.records)
            defect = RequestFailedError(FailureKind.AMBIGUOUS, type(error).__name__, str(error))
            self._core.on_failure(request, defect, self._loop_binding.time())

    async def list_shards(self) -> None:
        """List the shards again."""
        try:
            async with asyncio.timeout(STREAM_CALL_SECONDS):
                shards = await self._client.list_shards()
            self._core.on_shards(shards, self._loop_binding.time())
            _logger.info("the shards were listed again: %s", self._core.stats(self._loop_binding.time()))
        except (RequestFailedError, TimeoutError) as error:
            _logger.info("listing the shards failed: %s", _code_and_kind(error))
            self.on_listing_failed()
        except Exception:
            _logger.exception("listing the shards failed unexpectedly")
            self.on_listing_failed()

    async def read_summary(self) -> None:
        """Read the stream's summary again, for its limit on a record's size."""
        try:
            async with asyncio.timeout(STREAM_CALL_SECONDS):
                summary = await self._client.summary()
            self._core.on_summary(summary, self._loop_binding.time())
            _logger.info("the stream's summary was read again: records of up to %d bytes", summary.max_record_bytes)
        except RequestFailedError as failure:
            self._on_summary_failure(failure)
        except TimeoutError:
            self.on_summary_cancelled()
        except Exception:
            _logger.exception("reading the stream's summary failed unexpectedly")
            self.on_summary_cancelled()

    def on_summary_cancelled(self) -> None:
        """Report that the call of `read_summary` did not end by itself."""
        text = "the call was cancelled, or took too long"
        self._on_summary_failure(RequestFailedError(FailureKind.NOT_SENT, "TimeoutError", text))

    def _on_summary_failure(self, failure: RequestFailedError) -> None:
        _logger.info("reading the stream's summary failed: %s", _code_and_kind(failure))
        self._core.on_summary_failure(failure, self._loop_binding.time())

    def on_send_cancelled(self, request: Request) -> None:
        """Report that the task of `send` was cancelled: by closing, or by a program that cancels all its tasks.

        Without this report the request would stay in flight for ever, and `close` would wait for it.
        """
        kind = FailureKind.AMBIGUOUS if request.attempt.may_have_arrived else FailureKind.NOT_SENT
        failure = RequestFailedError(kind, "Cancelled", "its task was cancelled")
        self._core.on_failure(request, failure, self._loop_binding.time())

    def on_listing_failed(self) -> None:
        """Report that the call of `list_shards` failed, or its task was cancelled."""
        self._core.on_shards_failure(self._loop_binding.time())

    def _on_request_failed(self, request: Request, failure: RequestFailedError) -> None:
        _logger.info("a request of %d records failed: %s", request.records, _code_and_kind(failure))
        self._core.on_failure(request, failure, self._loop_binding.time())


def _failure_at_deadline(request: Request) -> RequestFailedError:
    kind = FailureKind.AMBIGUOUS if request.attempt.may_have_arrived else FailureKind.NOT_SENT
    text = f"the delivery_timeout of its records passed, and the attempt ended {request.attempt.progress}"
    return RequestFailedError(kind, "TimeoutError", text)


def _code_and_kind(error: RequestFailedError | TimeoutError) -> str:
    return f"{error.code} ({error.kind.value})" if isinstance(error, RequestFailedError) else "TimeoutError"
