"""Replay into a stream: the records of an intent are put, each at most once, in the order of each key.

A record that may have been put, because there was no response, is not put again: the intent stays unfinished until
reading the stream shows which of its records are there (`recovery.py`).
"""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final, Self

from truckstream.batcher.reading.schema import read_schema
from truckstream.batcher.reading.validation import validate
from truckstream.checks import check_number
from truckstream.data.replay.reading.candidates import Refused
from truckstream.data.replay.targets.single_attempt_client import MAY_BE_STORED, SingleAttemptClient
from truckstream.data.replay.targets.stream_search import read_since
from truckstream.data.replay.targets.target import CarriedOut
from truckstream.data.replay.targets.target_stream import find_target_stream
from truckstream.errors import InvalidArgumentError, RecordTooLargeError, ServiceError, TruckstreamError
from truckstream.kinesis.client import KinesisClient
from truckstream.producer import Producer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from truckstream.batcher.reading.event import KinesisEvent
    from truckstream.batcher.reading.rejected_record import Refusal
    from truckstream.data.replay.journal.entries import EntryName, Intent, Item
    from truckstream.data.replay.targets.stream_matching import StreamMatching
    from truckstream.kinesis.session.user_session import UserSession
    from truckstream.producer import Delivery

__all__ = ["NOT_PUT", "StreamTarget"]

#: The reason of a record that the service, or its rules, did not accept.
NOT_PUT: Final = "not_put"

#: Of an hour's retention the oldest minutes are not relied on.
_TRIM_MARGIN: Final = 600.0


class StreamTarget:
    """Puts replayed records into a stream. A context manager.

    Args:
        stream: the stream's name or ARN.
        schema: as in `Batcher`: the records must be valid, or the stream's reader would reject them again.
        put_timeout: seconds within which a put has its outcome, and within which puts begin after their intent was
            written. After three times that time, none of its records can reach the stream any more.
        region_name: as in aiobotocore.
        endpoint_url: as in aiobotocore.
        session: as in aiobotocore.
    """

    #: As many as a request takes.
    chunk_records = 500
    in_order = True

    def __init__(
        self,
        stream: str,
        *,
        schema: Any,
        put_timeout: float,
        region_name: str | None,
        endpoint_url: str | None,
        session: UserSession | None,
    ) -> None:
        check_number("put_timeout", put_timeout, 0.001)
        self._schema = read_schema(schema)
        self._stream = stream
        self._put_timeout = put_timeout
        self._connection: dict[str, Any] = {
            "region_name": region_name,
            "endpoint_url": endpoint_url,
            "session": session,
        }
        self._exit = AsyncExitStack()
        self._producer: Producer
        self.name = ""
        #: Seconds for which the stream keeps its records.
        self.retention = 0.0

    async def __aenter__(self) -> Self:
        described = await find_target_stream(self._stream, **self._connection)
        self.name, self.retention = described.arn, described.retention
        client = SingleAttemptClient(KinesisClient(self._stream, **self._connection))
        timeout = self._put_timeout
        self._producer = Producer(
            client, ordered=True, delivery_timeout=timeout, linger=min(0.02, timeout / 2), open_timeout=30.0
        )
        await self._exit.enter_async_context(self._producer)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._exit.__aexit__(kind, error, traceback)

    def check(self, event: KinesisEvent) -> Mapping[int, Refusal]:
        return validate(event, self._schema).refusals

    def object_of(self, stream: str, shard: str, items: Sequence[Item], name: EntryName) -> str | None:  # noqa: ARG002
        return None

    async def carry_out(self, intent: Intent, name: EntryName) -> CarriedOut:  # noqa: ARG002 - a stream keeps no name
        """Put the records of an intent that was just written."""
        if not 0 <= time.time() - intent.at < self._put_timeout:  # the process was suspended, or the clock was changed
            return CarriedOut([], {}, list(range(len(intent.items))))
        done = CarriedOut([], {}, [])
        deliveries: list[tuple[int, Delivery]] = []
        for index, item in enumerate(intent.items):
            try:
                put = self._producer.put(item.data, item.partition_key, explicit_hash_key=item.explicit_hash_key)
                deliveries.append((index, await put))
            except (InvalidArgumentError, RecordTooLargeError) as error:
                done.refused[index] = Refused(NOT_PUT, str(error))
        cause: TruckstreamError | None = None
        for index, delivery in deliveries:
            try:
                ack = await delivery
            except TruckstreamError as error:
                if error.may_be_stored:
                    done.unknown.append(index)
                else:
                    done.refused[index] = Refused(NOT_PUT, str(error))
                    cause = error if isinstance(error, ServiceError) and len(deliveries) > 1 else cause
            else:
                if ack.sequence_number == MAY_BE_STORED:
                    done.unknown.append(index)
                else:
                    done.replayed.append((index, ack.sequence_number))
        return done if done.replayed else done._replace(cause=cause)

    def settled_at(self, intent: Intent) -> float:
        """Return when no record of an intent can reach the stream any more, in seconds since the epoch."""
        return intent.at + 3 * self._put_timeout

    def still_holds(self, since: float, now: float) -> bool:
        """Return whether the stream still holds all records that arrived since a time. Both in seconds."""
        return since > now - self.retention + _TRIM_MARGIN

    async def search(self, matching: StreamMatching) -> None:
        """Read the stream from the first intent on.

        Raises:
            ServiceError: it cannot be read.
        """
        client = KinesisClient(self._stream, **self._connection)
        async with AsyncExitStack() as exits:
            await client.open()
            exits.push_async_callback(client.close)
            await read_since(
                client,
                matching.since,
                lambda each: matching.offer(each.partition_key, each.data, each.sequence_number, each.arrival),
            )
