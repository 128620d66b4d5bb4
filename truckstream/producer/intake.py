"""The way in: from the arguments of a put to a `Delivery`, which is accepted if there is room.

Every put passes through `Intake.offer`. So that is one function, on an object with slots: with a call for each step,
and on `Producer` with its many attributes, a put took 1.15 µs instead of 0.65 (Python 3.11). `Intake.offer_plain` does
the same for the usual records of a list, at 0.3 µs each: all that they share is looked up once.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import TYPE_CHECKING, Final

from truckstream.errors import RecordTooLargeError
from truckstream.kinesis.limits import DEFAULT_MAX_RECORD_BYTES
from truckstream.kinesis.shard_map import plain_str
from truckstream.producer.outcomes.delivery import Delivery
from truckstream.producer.queueing.buffer_budget import MAX_OVERHEAD_BYTES, largest_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sized

    from truckstream.producer.arguments.put_arguments import PutArguments
    from truckstream.producer.core import ProducerCore
    from truckstream.producer.lifecycle import Lifecycle
    from truckstream.producer.loop_binding import LoopBinding

__all__ = ["Intake"]

#: Tells callers on the producer's event loop from others. Python 3.11 asks the kernel for the process each time that it
#: is asked for the running loop, which takes 0.15 µs. There the thread is compared, and the loop at the first put of a
#: turn.
_here: Final[Callable[[], object]] = (
    asyncio._get_running_loop  # noqa: SLF001 - public, but for its name
    if sys.version_info >= (3, 12)
    else threading.get_ident
)
_NOWHERE: Final = object()


class Intake:
    """Makes deliveries, and passes them to the core.

    Args:
        core: takes the records.
        arguments: the producer's serializer and key.
        lifecycle: has the reason why the producer takes no records.
        loop_binding: the loop that the producer belongs to.
        waiting_for_room: the callers that wait for room; while there are any, no record is accepted.
        want_pump: asks for a pump in this turn of the loop.
    """

    __slots__ = (
        *("_arguments", "_arrivals", "_budget", "_core", "_epochs", "_has_lanes", "_has_own_queues", "_home"),
        *("_lifecycle", "_loop_binding", "_routing_table", "_sent_as_it_is", "_surely_fits", "_waiting_for_room"),
        *("_want_pump", "has_plain_records"),
    )

    def __init__(
        self,
        core: ProducerCore,
        arguments: PutArguments,
        lifecycle: Lifecycle,
        loop_binding: LoopBinding,
        waiting_for_room: Sized,
        want_pump: Callable[[], None],
    ) -> None:
        self._core = core
        self._arguments = arguments
        self._lifecycle = lifecycle
        self._loop_binding = loop_binding
        self._waiting_for_room = waiting_for_room
        self._want_pump = want_pump
        self._arrivals = core.arrivals
        self._budget = core.budget
        self._epochs = core.epochs
        self._has_lanes = core.options.ordered
        self._has_own_queues = core.has_own_queues
        self._routing_table = core.routing_table
        self._sent_as_it_is = arguments.sent_as_it_is
        #: Whether `offer_plain` accepts any: it calls neither a serializer nor a key, and does not handle lanes.
        self.has_plain_records = arguments.sent_as_it_is is bytes and not arguments.has_key and not self._has_lanes
        # Where puts are accepted: one comparison spares each of them a look at the state.
        self._home: object = _NOWHERE

    def open(self) -> None:
        """Accept records from now on, from this thread and event loop."""
        self.adopt_limit()
        self._home = _here()

    def close(self) -> None:
        """Accept no more records."""
        self._home = _NOWHERE

    def adopt_limit(self) -> None:
        """Adopt the stream's limit on a record's size."""
        options = self._core.options
        room = largest_size(options.buffer_bytes, MAX_OVERHEAD_BYTES)
        limits = (DEFAULT_MAX_RECORD_BYTES, self._core.max_record_bytes, options.max_batch_bytes, room)
        #: A larger record may be too large for the stream, a request or the buffer.
        self._surely_fits = min(limits)

    def offer(self, data: object, partition_key: str | None, explicit_hash_key: str | None) -> Delivery:  # noqa: C901 - see above
        """Make a delivery, and accept it if there is room; its `epoch` is 0 if there is none.

        Raises:
            InvalidArgumentError, RecordTooLargeError, ProducerClosedError, WrongEventLoopError: as `Producer.put`.
        """
        if _here() != self._home:
            self._come_home()
        if type(partition_key) is not str:
            partition_key = self._arguments.key_of(data, partition_key)
        if not isinstance(data, self._sent_as_it_is):
            data = self._arguments.data_of(data)
        if explicit_hash_key is None:
            outbox, key_size, overhead, tail = self._routing_table[partition_key]
        else:
            if isinstance(explicit_hash_key, str):
                explicit_hash_key = plain_str("explicit_hash_key", explicit_hash_key)
            outbox, key_size, overhead, tail = self._core.route(partition_key, explicit_hash_key)
        size = len(data) + key_size
        if size > self._surely_fits:
            self._check_size(size, overhead)
        cost = size + overhead
        arrivals = self._arrivals
        if not arrivals.records:
            self._loop_binding.check()
            self._want_pump()
        budget, epoch = self._budget, self._epochs.current
        used = budget.used_bytes + cost
        if used > budget.limit or self._waiting_for_room or (self._has_lanes and not budget.has_room(cost)):
            epoch = 0
        delivery = Delivery(
            data,
            tail,
            partition_key,
            explicit_hash_key,
            size,
            cost,
            outbox,
            arrivals.put_at,
            epoch,
            loop_binding=self._loop_binding,
        )
        if epoch:  # as `ProducerCore.put`
            budget.used_bytes = used
            outbox.entry.append(delivery)
            if self._has_own_queues and outbox.queue.count == 1:
                outbox.group.add(outbox)
            arrivals.records += 1
            arrivals.cost += cost
        return delivery

    def offer_plain(self, pairs: Iterable[object], deliveries: list[Delivery]) -> list[object]:
        """Accept pairs of bytes or text and a key, and append their deliveries, up to the first other object.

        Return the first record that was not accepted, in a list: it is not plain, or there is no room. The caller
        passes it to `offer`. Reading `pairs` must run no code of a user's, because the records are accounted for at the
        end.

        Raises:
            ProducerClosedError, WrongEventLoopError: as `Producer.put`.
            InvalidArgumentError: a key breaks the service's rules, or a text is not Unicode. The records before are
                accepted.
        """
        if _here() != self._home:
            self._come_home()
        arrivals, budget, loop_binding = self._arrivals, self._budget, self._loop_binding
        if not arrivals.records:
            loop_binding.check()
            self._want_pump()
        put_at, epoch, has_own_queues = arrivals.put_at, self._epochs.current, self._has_own_queues
        routing_table, surely_fits, data_of = self._routing_table, self._surely_fits, self._arguments.data_of
        left = 0 if self._waiting_for_room else budget.limit - budget.used_bytes
        room, before = left, len(deliveries)
        accept = deliveries.append
        try:
            for pair in pairs:
                if type(pair) is not tuple or len(pair) != 2:  # noqa: PLR2004 - data and key
                    return [pair]
                data, key = pair
                if type(key) is not str:
                    return [pair]
                if type(data) is not bytes:
                    if type(data) is not str:
                        return [pair]
                    data = data_of(data)
                outbox, key_size, overhead, tail = routing_table[key]
                size = len(data) + key_size
                cost = size + overhead
                if size > surely_fits or cost > left:
                    return [pair]
                delivery = Delivery(data, tail, key, None, size, cost, outbox, put_at, epoch, loop_binding=loop_binding)
                accept(delivery)
                outbox.entry.append(delivery)
                left -= cost
                if has_own_queues and outbox.queue.count == 1:
                    outbox.group.add(outbox)
        finally:
            budget.used_bytes += room - left
            arrivals.records += len(deliveries) - before
            arrivals.cost += room - left
        return []

    def _come_home(self) -> None:
        """Raise the reason why a put is refused here. There is none if the loop runs in another thread than before."""
        self._lifecycle.require_open()
        self._loop_binding.check()
        self._home = _here()

    def _check_size(self, size: int, overhead: int) -> None:
        try:
            self._core.check_size(size, overhead)
        except RecordTooLargeError:
            self._want_pump()  # it reads the stream's limit again
            raise
