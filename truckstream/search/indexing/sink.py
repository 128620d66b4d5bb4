"""The sink: records of a Consumer, or of a Batcher, into OpenSearch."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final, Self

from truckstream.batcher.reading.schema import read_schema
from truckstream.batcher.reading.validation import validate
from truckstream.checks import check_number
from truckstream.errors import InvalidArgumentError
from truckstream.record import TruckRecord
from truckstream.search.indexing.documents import record_documents, rejected_documents
from truckstream.search.indexing.preparation import prepare_indexes
from truckstream.search.indexing.writer import DocumentWriter, RejectedDocument, WriteLimits
from truckstream.search.language.fields import search_fields
from truckstream.search.opensearch.client import OpenSearchClient, OpenSearchOptions
from truckstream.worker.storing.group_event import event_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from truckstream.batcher.formats.stream_fields import Places
    from truckstream.batcher.reading.validation import ValidatedEvent
    from truckstream.consumer import Batch
    from truckstream.kinesis.session.user_session import UserSession
    from truckstream.search.indexing.writer import SinkStats

__all__ = ["DEFAULT_INDEX", "OpenSearchSink"]

DEFAULT_INDEX: Final = "truckstream"

#: OpenSearch's names are lower case and do not begin with these characters; a comma or a star would be a pattern.
_INDEX: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,199}")


class OpenSearchSink:
    """Writes records to OpenSearch: each valid record is one document, however often it is delivered.

    ```python
    async with OpenSearchSink("https://search.example.com") as sink:
        async with Consumer("truck-sensor-stream", application="search") as consumer:
            await consumer.run(sink.handle)
    ```

    The indexes are `INDEX-2026.11.29`, one for each day of arrival in UTC. Records that break a rule of the schema, and
    documents that OpenSearch rejects, are set aside in `rejected-INDEX-2026.11.29`.

    Args:
        url: `https://host[:port]`. A user and a password in it are sent as basic authentication; requests to a host of
            AWS are signed.
        index: the beginning of the indexes' names.
        schema: the type of the records, with named fields, as for `Batcher`. It decides the mapping.
        create_templates: create or update the index templates when the sink opens. If another program does that, its
            mappings should be those of `index_templates`.
        keep_days: days after which Index State Management deletes an index; None to keep all. The policy applies to
            indexes that are made after it. OpenSearch Serverless has no such policies.
        shards: primary shards of each index. One takes about 30 GB of a day.
        replicas: copies of each shard; None for the cluster's default.
        on_rejected: called with each record that is set aside, after it is stored there.
        max_request_documents: documents of a bulk request.
        max_request_bytes: bytes of a bulk request, 5 MiB by default. A larger document makes a request alone.
        max_in_flight: bulk requests at the same time, over all shards of the stream.
        request_timeout: seconds until a request without a response is made again.
        session: the session, of aiobotocore or aioboto3, that signs for AWS; by default the environment's.
        client_options: further options of opensearch-py's `AsyncOpenSearch`, such as `ca_certs`.

    Raises:
        ConfigurationError: the URL is none, or opensearch-py is not installed.
        InvalidArgumentError: an option breaks a rule.
    """

    def __init__(
        self,
        url: str,
        *,
        index: str = DEFAULT_INDEX,
        schema: Any = TruckRecord,
        create_templates: bool = True,
        keep_days: int | None = None,
        shards: int = 1,
        replicas: int | None = None,
        on_rejected: Callable[[RejectedDocument], object] | None = None,
        max_request_documents: int = 1_000,
        max_request_bytes: int = 5 * 1024 * 1024,
        max_in_flight: int = 4,
        request_timeout: float = 30.0,
        session: UserSession | None = None,
        client_options: Mapping[str, Any] | None = None,
    ) -> None:
        if not _INDEX.fullmatch(index):
            rule = "must be lower-case letters, digits, '.', '_' and '-', and begin with a letter or a digit"
            raise InvalidArgumentError("index", index, rule)
        search_fields(schema)  # raises if the schema has none
        if keep_days is not None:
            check_number("keep_days", keep_days, 1, whole=True)
        check_number("shards", shards, 1, whole=True)
        limits = WriteLimits(max_request_documents, max_request_bytes, max_in_flight)
        options = OpenSearchOptions(session=session, request_timeout=request_timeout, client_options=client_options)
        self._index = index
        self._schema = schema
        self._checks = read_schema(schema)
        self._preparation = (create_templates, keep_days, shards, replicas)
        self._client = OpenSearchClient(url, options)
        self._writer = DocumentWriter(self._client, limits, on_rejected)
        self._opening = asyncio.Lock()
        self._is_open = False

    def __repr__(self) -> str:
        return f"<OpenSearchSink {self._index} at {self._client.url}, {self.stats.written} written>"

    async def __aenter__(self) -> Self:
        try:
            await self.open()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def stats(self) -> SinkStats:
        """The sink's counters."""
        return self._writer.stats

    async def open(self) -> None:
        """Create the index templates and the policy, if the sink is to do that. The first write does it, too.

        Raises:
            SearchError: OpenSearch cannot be reached, or rejects a request.
        """
        async with self._opening:
            if not self._is_open:
                create_templates, keep_days, shards, replicas = self._preparation
                await prepare_indexes(
                    self._client,
                    self._index,
                    self._schema if create_templates else None,
                    keep_days=keep_days,
                    shards=shards,
                    replicas=replicas,
                )
                self._is_open = True

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def handle(self, batch: Batch) -> None:
        """Write the records of a batch: the handler for `Consumer.run`.

        It returns when OpenSearch has acknowledged all of them, so that the checkpoint that follows skips none. While
        OpenSearch is out of reach, or busy, it waits, and the consumer reads no further.

        Raises:
            SearchError: OpenSearch rejects the requests themselves; a retry would not help.
        """
        event = event_of(batch.stream_name, batch.shard_id, batch.records)
        checked = validate(event, self._checks)
        valid, count = checked.valid, len(checked)
        await self.open()
        await self._write_valid(batch.stream_name, valid.present(0, count), valid.places(0, count))
        if checked.refusals:
            await self._write_rejected(batch.stream_name, checked)

    async def write(self, stream: str, lines: Sequence[bytes], places: Places) -> None:
        """Write valid records of one shard: the second target of a `Batcher`. Raises as `handle` does."""
        await self.open()
        await self._write_valid(stream.rpartition("/")[2], lines, places)

    async def _write_valid(self, stream: str, lines: Sequence[bytes], places: Places) -> None:
        await self._writer.write(record_documents(self._index, stream, lines, places))

    async def _write_rejected(self, stream: str, checked: ValidatedEvent) -> None:
        lines, count = checked.rejected, len(checked)
        documents = list(rejected_documents(self._index, stream, lines.present(0, count), lines.places(0, count)))
        refusals = checked.refusals.values()  # in the order of the lines
        reasons = [RejectedDocument(each.id, why.code, why.rule) for each, why in zip(documents, refusals, strict=True)]
        await self._writer.write_rejected(documents, reasons)
