"""Sends the documents about discarded batches to the on-failure destinations."""

from __future__ import annotations

import inspect
import uuid
from typing import TYPE_CHECKING

from truckstream.local.mapping.function.discarded_batch import failure_document, failure_object

if TYPE_CHECKING:
    from truckstream.local.mapping.function.discarded_batch import DiscardedBatch
    from truckstream.local.mapping.function.lambda_event import EventMaker
    from truckstream.local.mapping.mapping_settings import MappingSettings

__all__ = ["FailureDestination"]


class FailureDestination:
    """The destinations of a mapping's discarded batches.

    Args:
        settings: has the callback and the store.
        function_arn: the function's ARN.
        stream_arn: the stream's ARN.
    """

    def __init__(self, settings: MappingSettings, *, function_arn: str, stream_arn: str) -> None:
        self._on_failure = settings.on_failure
        self._store = settings.on_failure_store
        self._function_arn = function_arn
        self._stream_arn = stream_arn
        self._mapping_id = str(uuid.uuid4())

    async def report(self, batch: DiscardedBatch, shard_id: str, events: EventMaker, request_id: str) -> None:
        """Send the document about a discarded batch.

        Args:
            batch: the batch.
            shard_id: its shard.
            events: makes the event with the batch's records.
            request_id: the invocation after which it was discarded; empty if it was discarded before one.
        """
        document = failure_document(
            batch,
            request_id=request_id,
            function_arn=self._function_arn,
            shard_id=shard_id,
            stream_arn=self._stream_arn,
        )
        if self._on_failure is not None:
            done = self._on_failure(document)
            if inspect.isawaitable(done):
                await done
        if self._store is not None:
            event, name = events.make(batch.records), str(uuid.uuid4())
            key, content = failure_object(document, event, mapping_id=self._mapping_id, name=name)
            await self._store.put_async(key, content)
