"""The blocking Producer: the asyncio one on a loop in a thread of its own."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar, overload

from truckstream import producer as aio
from truckstream.blocking import at_exit
from truckstream.blocking.acceptor import Acceptor
from truckstream.blocking.delivery import Delivery
from truckstream.blocking.hand_over import HandOver
from truckstream.blocking.loop_thread import LoopThread
from truckstream.checks import check_number
from truckstream.errors import InvalidArgumentError, ProducerClosedError, TruckstreamError
from truckstream.kinesis.limits import MIB
from truckstream.kinesis.shard_map import check_partition_key, parse_hash_key
from truckstream.producer import fork_hook
from truckstream.producer.arguments.put_arguments import PutArguments
from truckstream.producer.arguments.types import Data, T_contra
from truckstream.producer.queueing.buffer_budget import MAX_OVERHEAD_BYTES, RECORD_OVERHEAD_BYTES, largest_size

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType
    from typing import Unpack

    from truckstream.errors import ServiceError
    from truckstream.kinesis.client import StreamClient
    from truckstream.producer.arguments.keywords import ProducerKeywords
    from truckstream.producer.arguments.types import KeyOf, Serializer, SerializerName

__all__ = ["Producer"]

_T = TypeVar("_T")

_logger = logging.getLogger("truckstream.producer")

#: The most bytes on the way to the loop, if the buffer is large: some 1,000 records of 500 bytes. A system call for so
#: many costs nothing.
MAX_BYTES_ON_THE_WAY: Final = MIB

#: A larger record may be over a limit. Its put waits until the producer has accepted it.
SURELY_FITS: Final = 64 * 1024

_CLOSED: Final = "the producer is closed"
_FORKED: Final = "this process was forked from the one that opened the producer: make a new one"


class Producer(Generic[T_contra]):
    """Puts records into a Kinesis stream, for scripts, threads and WSGI applications.

    ```python
    with Producer("truck-sensor-stream", region_name="us-east-1") as producer:
        delivery = producer.put(data, partition_key)
        ack = delivery.result()
    ```

    Any number of threads may use it. Its options, errors and guarantees are those of `truckstream.Producer`. Leaving
    the context sends the buffered records and waits for every outcome; failures that nobody waited for are raised
    there, and by `flush`, as a `DeliveryErrorGroup`. A producer that is open when the program ends is closed in the
    same way, and logs them.
    """

    @overload
    def __init__(
        self: Producer[Data],
        stream: str | StreamClient,
        *,
        serializer: None = None,
        key: KeyOf[Data] | None = None,
        **options: Unpack[ProducerKeywords],
    ) -> None: ...
    @overload
    def __init__(
        self: Producer[Any],
        stream: str | StreamClient,
        *,
        serializer: SerializerName,
        key: KeyOf[Any] | None = None,
        **options: Unpack[ProducerKeywords],
    ) -> None: ...
    @overload
    def __init__(
        self,
        stream: str | StreamClient,
        *,
        serializer: Serializer[T_contra],
        key: KeyOf[T_contra] | None = None,
        **options: Unpack[ProducerKeywords],
    ) -> None: ...
    def __init__(
        self,
        stream: str | StreamClient,
        *,
        serializer: Serializer[Any] | SerializerName | None = None,
        key: KeyOf[Any] | None = None,
        **options: Unpack[ProducerKeywords],
    ) -> None:
        # Objects are serialized in the threads that put them, where an error has a useful traceback.
        self._arguments = PutArguments(serializer, key)
        self._aio: aio.Producer = aio.Producer(stream, **options)
        self._thread = LoopThread("truckstream producer")
        buffer_bytes = options.get("buffer_bytes", 64 * MIB)
        self._hand_over: HandOver[Delivery] = HandOver(
            min(MAX_BYTES_ON_THE_WAY, buffer_bytes // 8),
            wake=lambda: self._thread.call(self._acceptor.start),
            may_wait=lambda: not self._thread.is_current,
        )
        max_bytes = min(options.get("max_batch_bytes", MIB), largest_size(buffer_bytes, MAX_OVERHEAD_BYTES))
        self._surely_fits = min(SURELY_FITS, max_bytes)
        self._is_new = True
        self._acceptor = Acceptor(self._aio, self._hand_over)

    # --- Opening and closing ----------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close(None, lambda _: self._aio.__aexit__(kind, error, traceback))

    def open(self) -> None:
        """Connect, and read the stream's shards. `with` does this. It waits as `truckstream.Producer.open` does.

        Raises:
            StreamNotFoundError: there is no such stream in this account and region.
            ServiceError: the service cannot be reached, or returns an error; the error has its own message.
            ProducerClosedError: the producer was opened or closed before.
        """
        if not self._is_new:
            raise ProducerClosedError("a producer can be opened only once: make a new one")
        self._is_new = False
        self._thread.start()
        fork_hook.add(self, Producer._leave_to_parent)
        try:
            self._thread.run(self._acceptor.open())
        except BaseException:
            fork_hook.remove(self)
            self._thread.stop()
            raise
        at_exit.add(self)
        self._hand_over.open()

    def close(self, timeout: float | None = None) -> aio.ProducerStats:
        """Send the buffered records, wait for their outcomes, and disconnect.

        Every Delivery has its outcome when this returns. After `timeout` seconds, and on Ctrl-C, the records that have
        none are given up. A second call waits for the first one, and gives them up when its own `timeout` is sooner.

        Raises:
            InvalidArgumentError: `timeout` is not a number of seconds.
        """
        if timeout is not None:
            check_number("timeout", timeout, 0)
        self._close(timeout, self._aio.close)
        return self.stats

    def close_at_exit(self) -> None:
        """Close a producer that is still open when the program ends."""
        warnings.warn(f"{self!r} was never closed", ResourceWarning, stacklevel=1, source=self)
        try:
            self.__exit__(None, None, None)
        except TruckstreamError as error:
            _logger.error("records were lost, because the producer was not closed: %s", error)  # noqa: TRY400

    def _close(self, timeout: float | None, closing: Callable[[float | None], Coroutine[Any, Any, object]]) -> None:
        self._thread.require_other()
        self._is_new = False
        self._hand_over.close(_CLOSED)
        try:
            self._thread.run(self._acceptor.close(timeout, closing))
        except (ProducerClosedError, CancelledError):
            pass  # it was never opened, or another thread has closed it
        except TruckstreamError:  # failures that nobody waited for
            raise
        except BaseException:  # Ctrl-C, and what else a signal's handler may raise
            self._thread.run(self._acceptor.give_up())
            raise
        finally:
            self._thread.stop()
            at_exit.remove(self)
            fork_hook.remove(self)

    def _leave_to_parent(self) -> None:
        """Leave everything to the parent process: this is a copy of its producer, made by a fork."""
        at_exit.remove(self)
        self._aio._refuse_records_after_fork()  # noqa: SLF001 - nothing else of it may be touched
        self._hand_over.leave_to_parent(_FORKED)
        self._thread.leave_to_parent(_FORKED)

    # --- Records ----------------------------------------------------------------------------------

    def put(
        self,
        data: T_contra,
        partition_key: str | None = None,
        explicit_hash_key: str | None = None,
        *,
        timeout: float | None = None,
    ) -> Delivery:
        """Accept one record, as `truckstream.Producer.put`. Waits only for room in the buffer.

        After `timeout` seconds it waits no longer; by default it waits until there is room.

        Raises:
            BufferFullError: there was no room within `timeout`.
            InvalidArgumentError: an argument breaks the service's rules.
            RecordTooLargeError: the record can never be sent.
            ProducerClosedError: the producer is not open, or this process was forked from the one that opened it.
        """
        arguments = self._arguments
        key = partition_key if type(partition_key) is str else arguments.key_of(data, partition_key)
        payload = data if isinstance(data, arguments.sent_as_it_is) else arguments.data_of(data)
        size = len(payload) + len(check_partition_key(key))
        if explicit_hash_key is not None:
            parse_hash_key(explicit_hash_key)
        delivery = Delivery(payload, key, explicit_hash_key, self._thread)
        self._hand_over.put(delivery, size + RECORD_OVERHEAD_BYTES, timeout)
        if size > self._surely_fits and not self._thread.is_current:
            self._thread.run(delivery.accepted())
        return delivery

    def put_many(self, records: Iterable[tuple[T_contra, str]] | Iterable[T_contra]) -> list[Delivery]:
        """Put each (data, partition key) of `records`, in their order. With `key`, they are objects without keys.

        Raises:
            InvalidArgumentError: `records` is not an iterable of such pairs or objects.
            InvalidArgumentError, RecordTooLargeError, ProducerClosedError: as `put`, for the first record that breaks
                a rule. The records before it will be delivered.
        """
        if not isinstance(records, Iterable):
            raise InvalidArgumentError("records", records, "must be an iterable")
        deliveries: list[Delivery] = []
        for record in records:
            data, partition_key = self._arguments.pair_of(record, len(deliveries))
            deliveries.append(self.put(data, partition_key))
        return deliveries

    def flush(self, timeout: float | None = None) -> None:
        """Send the records put so far without lingering, and wait until each has its outcome.

        Raises:
            TimeoutError: some have none after `timeout` seconds. They are still delivered.
            DeliveryErrorGroup: records failed for which nobody waited, since the last flush.
            ProducerClosedError: the producer is not open.
        """
        self._thread.run(self._acceptor.flush(), timeout)

    def shard_of(self, partition_key: str) -> str | None:
        """Return the id of the shard that takes `partition_key`; None if the shards are unknown."""
        return self._on_loop(lambda: self._aio.shard_of(partition_key))

    @property
    def stats(self) -> aio.ProducerStats:
        """A snapshot of the counters. Records that have not reached the producer's thread yet are not counted."""
        return self._on_loop(lambda: self._aio.stats)

    @property
    def last_failure(self) -> ServiceError | None:
        """Why the latest request failed; None if the service has responded since, and before the first failure."""
        return self._aio.last_failure

    def __repr__(self) -> str:
        return self._on_loop(lambda: f"<blocking.{repr(self._aio)[1:]}")

    def _on_loop(self, read: Callable[[], _T]) -> _T:
        """Return the result of a function that must not run while the loop's thread does something else."""

        async def read_there() -> _T:
            return read()

        if not self._thread.is_current:
            with suppress(ProducerClosedError, CancelledError):  # nothing runs there
                return self._thread.run(read_there())
        return read()
