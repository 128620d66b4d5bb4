"""One bulk request: which of its documents to send and when, and the outcomes of the others.

A request can fail as a whole, and each of its documents can fail for itself. `opensearch/failures.py` has the table of
the actions. The helper of opensearch-py retries documents for 429 only, without jitter, and decodes and encodes each
of them again (3.2.0; its issue 964); so its client sends the requests, and this class decides.

Requests are retried with exponential backoff and full jitter. Nothing is given up: the caller has a deadline, or waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from truckstream.errors import SearchError
from truckstream.search.opensearch.failures import OpenSearchFailure, failure_of_item

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from random import Random

    from truckstream.search.indexing.documents import Document

__all__ = ["Bulk", "SetAside", "requests_of"]

BASE_SECONDS: Final = 0.5
CAP_SECONDS: Final = 30.0
_MOST_DOUBLINGS: Final = 10

_CREATED: Final = frozenset({200, 201})


class SetAside(NamedTuple):
    """A document that OpenSearch rejects, however often it is sent."""

    document: Document
    failure: OpenSearchFailure


class Bulk:
    """Sends a request's documents until each is stored or set aside.

    Args:
        documents: the documents, at least one.
        random: the source of the jitter.
    """

    def __init__(self, documents: list[Document], random: Random) -> None:
        self._random = random
        #: The requests that are still to be made: one, or parts of one that was too large. The first is sent next.
        self._requests = [documents]
        self._failures = 0
        #: When the next request may be sent.
        self.due = 0.0
        self.set_aside: list[SetAside] = []
        self.stored = 0
        #: The last failure that led to a retry.
        self.last_failure: OpenSearchFailure | None = None

    @property
    def is_done(self) -> bool:
        return not self._requests

    def body(self) -> bytes:
        """Return the body of the next request."""
        return b"".join(document.lines for document in self._requests[0])

    def on_response(self, response: Mapping[str, Any], now: float) -> None:
        """Take the response to a request.

        Raises:
            SearchError: a document failed for a reason that would make all others fail.
        """
        sent = self._requests.pop(0)
        if not response.get("errors", True):
            self._finish(len(sent))
            return
        items = response.get("items", ())
        if len(items) != len(sent):
            self._requests.insert(0, sent)
            self._retry(OpenSearchFailure(0, "BadResponse", f"{len(items)} results for {len(sent)} documents"), now)
            return
        self._take_results(sent, [next(iter(item.values())) for item in items], now)

    def on_failure(self, failure: OpenSearchFailure, now: float) -> None:
        """Take the failure of a request as a whole.

        Raises:
            SearchError: a retry would not help.
        """
        if failure.action == "retry":
            self._retry(failure, now)
        elif failure.action == "halve":
            self._halve(failure)
        else:
            raise SearchError(failure.code, failure.reason)

    def _take_results(self, sent: list[Document], results: list[Mapping[str, Any]], now: float) -> None:
        again: list[Document] = []
        stored = 0
        for document, result in zip(sent, results, strict=True):
            if result.get("status") in _CREATED:
                stored += 1
                continue
            failure = failure_of_item(result)
            if failure.action == "retry":
                again.append(document)
                self.last_failure = failure
            elif failure.action == "set aside":
                self.set_aside.append(SetAside(document, failure))
            else:
                raise SearchError(failure.code, f"{failure.reason} (document {document.id} of {document.index})")
        self._finish(stored)
        if again:
            self._requests.insert(0, again)
            self._retry(self.last_failure or OpenSearchFailure(0, "", ""), now)

    def _finish(self, stored: int) -> None:
        self.stored += stored
        self._failures = 0 if stored else self._failures

    def _retry(self, failure: OpenSearchFailure, now: float) -> None:
        self.last_failure = failure
        longest = min(CAP_SECONDS, BASE_SECONDS * 2 ** min(self._failures, _MOST_DOUBLINGS))
        self._failures += 1
        self.due = now + self._random.uniform(0, longest)

    def _halve(self, failure: OpenSearchFailure) -> None:
        documents = self._requests.pop(0)
        if len(documents) == 1:
            self.set_aside.append(SetAside(documents[0], failure))
            return
        middle = len(documents) // 2
        self._requests[:0] = [documents[:middle], documents[middle:]]


def requests_of(documents: Iterable[Document], most_documents: int, most_bytes: int) -> Iterator[list[Document]]:
    """Yield the documents of each request. A document that is larger than a request's limit makes one alone."""
    request: list[Document] = []
    size = 0
    for document in documents:
        if request and (len(request) == most_documents or size + document.size > most_bytes):
            yield request
            request, size = [], 0
        request.append(document)
        size += document.size
    if request:
        yield request
