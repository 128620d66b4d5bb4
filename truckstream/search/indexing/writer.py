"""Write documents of records to OpenSearch, and return when each is stored or set aside."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

from truckstream.checks import check_number
from truckstream.errors import SearchError, printable
from truckstream.search.indexing.bulk import Bulk, requests_of
from truckstream.search.indexing.documents import rejected_document
from truckstream.search.opensearch.client import BulkFailedError, OpenSearchClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from truckstream.search.indexing.bulk import SetAside
    from truckstream.search.indexing.documents import Document

__all__ = ["DocumentWriter", "RejectedDocument", "SinkStats", "WriteLimits"]

_logger: Final = logging.getLogger("truckstream.search")


class RejectedDocument(NamedTuple):
    """A record that is set aside: it is in the index of rejected records, and in no other."""

    #: The ID of the document: stream, shard and sequence number.
    id: str
    #: The code of the rule that the record breaks, or the type of OpenSearch's error.
    reason: str
    rule: str


@dataclass(frozen=True, slots=True)
class WriteLimits:
    """How much is sent at once.

    Raises:
        InvalidArgumentError: a limit breaks a rule.
    """

    documents: int
    bytes: int
    in_flight: int

    def __post_init__(self) -> None:
        check_number("max_request_documents", self.documents, 1, whole=True)
        check_number("max_request_bytes", self.bytes, 1, whole=True)
        check_number("max_in_flight", self.in_flight, 1, whole=True)


@dataclass(slots=True)
class SinkStats:
    """The sink's counters since it was made."""

    #: Documents that OpenSearch has acknowledged, without those of rejected records.
    written: int = 0
    #: Records that are set aside.
    rejected: int = 0
    #: Requests that failed, as a whole or for some of their documents, and were sent again.
    retries: int = 0


class DocumentWriter:
    """Sends bulk requests, a limited number at the same time.

    The memory of the requests is `max_in_flight` times `max_request_bytes`, because documents are made when there is
    room for their request.
    """

    def __init__(
        self, client: OpenSearchClient, limits: WriteLimits, on_rejected: Callable[[RejectedDocument], object] | None
    ) -> None:
        self._client = client
        self._limits = limits
        self._on_rejected = on_rejected
        self._room = asyncio.Semaphore(limits.in_flight)
        self._random = Random()
        self.stats = SinkStats()

    async def write(self, documents: Iterable[Document]) -> None:
        """Store documents, or set them aside. Cancelling it leaves whole documents only.

        Raises:
            SearchError: OpenSearch rejects the requests themselves; a retry would not help.
        """
        requests = requests_of(documents, self._limits.documents, self._limits.bytes)
        while True:
            async with self._room:
                request = next(requests, None)
                if request is None:
                    return
                bulk = await self._send(request)
                self.stats.written += bulk.stored
                if bulk.set_aside:
                    await self._set_aside(bulk.set_aside)

    async def write_rejected(self, documents: Iterable[Document], rejected: Iterable[RejectedDocument]) -> None:
        """Store the documents of rejected records, and pass the records to the callback. Raises as `write` does."""
        requests = requests_of(documents, self._limits.documents, self._limits.bytes)
        for request in requests:
            async with self._room:
                await self._send_rejected(request)
        self._report(list(rejected))

    async def _set_aside(self, set_aside: list[SetAside]) -> None:
        found = [RejectedDocument(each.document.id, each.failure.code, each.failure.reason) for each in set_aside]
        await self._send_rejected([rejected_document(each.document, each.failure) for each in set_aside])
        self._report(found)

    async def _send_rejected(self, documents: list[Document]) -> None:
        bulk = await self._send(documents)
        if bulk.set_aside:
            document, failure = bulk.set_aside[0]
            raise SearchError(failure.code, f"{failure.reason} (document {document.id} of {document.index})")

    def _report(self, rejected: list[RejectedDocument]) -> None:
        if not rejected:
            return
        self.stats.rejected += len(rejected)
        example = rejected[0]
        _logger.warning(
            "%d records are set aside, the first is %s (%s): %s",
            *(len(rejected), example.id, printable(example.reason), printable(example.rule)),
        )
        if self._on_rejected is not None:
            for each in rejected:
                self._on_rejected(each)

    async def _send(self, documents: list[Document]) -> Bulk:
        loop = asyncio.get_running_loop()
        bulk = Bulk(documents, self._random)
        while not bulk.is_done:
            await asyncio.sleep(max(0.0, bulk.due - loop.time()))
            due = bulk.due
            try:
                bulk.on_response(await self._client.bulk(bulk.body()), loop.time())
            except BulkFailedError as error:
                bulk.on_failure(error.failure, loop.time())
            if bulk.due != due:
                self._on_retry(bulk)
        return bulk

    def _on_retry(self, bulk: Bulk) -> None:
        self.stats.retries += 1
        if bulk.last_failure is not None:
            code, reason = bulk.last_failure.code, bulk.last_failure.reason
            _logger.warning("documents are sent again: %s: %s", printable(code), printable(reason[:500]))
