"""The base classes of the kinds of fault, by the moment in which a kind acts.

| base class | acts on | its hook |
|---|---|---|
| `RecordKind` | one record of a write, or one GetRecords call | `error` |
| `RequestKind` | one request, in place of its normal course | `serve` |
| `TimingKind` | one request, beside everything else that strikes it | `delay`, `clock_skew` |
| `StreamKind` | the stream, just before a request is carried out | `change` |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random

    from aiohttp import web

    from truckstream.local.protocol.api_call import Call, ServiceResponse
    from truckstream.local.service.errors import RecordRefusal
    from truckstream.local.service.state.account import KinesisAccount
    from truckstream.local.service.state.shard import LocalShard
    from truckstream.local.service.state.stream import Stream

__all__ = ["ExchangeSteps", "FaultOptions", "Kind", "RecordKind", "RequestKind", "StreamKind", "TimingKind"]


class FaultOptions(Protocol):
    """The fields of a `Fault` that a kind may read."""

    @property
    def operations(self) -> tuple[str, ...]: ...
    @property
    def shards(self) -> tuple[str, ...]: ...
    @property
    def seconds(self) -> float: ...
    @property
    def jitter(self) -> float: ...
    @property
    def status(self) -> int: ...


class Kind(msgspec.Struct, frozen=True):
    """A kind of fault. `does` and `client` are full sentences for the documentation."""

    #: As in `Fault("throttle")` and `--fault throttle`.
    name: str
    #: The effect of the fault.
    does: str
    #: The client's knowledge after the fault. If the records are stored and the client does not learn it, a retry makes
    #: copies. If they are not stored, a client that does not retry loses them.
    client: str
    #: The fields of `Fault` that this kind reads and most others do not.
    options: frozenset[str] = frozenset()

    #: How often a fault of this kind strikes if it has no `count`.
    default_count: ClassVar[float] = float("inf")

    def strikes_by_default(self, operation: str) -> bool:
        """Return whether a fault that names no operations strikes this one."""
        return True

    def check(self, options: FaultOptions) -> None:
        """Check the options of a new fault of this kind.

        Raises:
            InvalidArgumentError: one of them breaks a rule of this kind.
        """


class RecordKind(Kind, frozen=True):
    """Makes one record fail. The other records of the request are not affected."""

    def error(self, stream: Stream, shard: LocalShard, account_id: str) -> RecordRefusal:
        """Return the error of a record of this shard."""
        raise NotImplementedError


class RequestKind(Kind, frozen=True):
    """Replaces the normal course of a request. If several faults of such kinds strike a request, the first one acts."""

    def serve(self, exchange: ExchangeSteps, options: FaultOptions) -> Awaitable[web.StreamResponse]:
        """Serve the request in the way of this kind."""
        raise NotImplementedError


class TimingKind(Kind, frozen=True):
    """Shifts a time of a request. Several such faults add up, and other kinds may strike the same request."""

    def delay(self, options: FaultOptions, random: Random) -> float:
        """Return how many seconds later the response is sent."""
        return 0.0

    def clock_skew(self, options: FaultOptions) -> float:
        """Return how many seconds the service's clock is ahead."""
        return 0.0


class StreamKind(Kind, frozen=True):
    """Changes the stream just before a request is carried out."""

    default_count: ClassVar[float] = 1

    def change(
        self, options: FaultOptions, random: Random, account: KinesisAccount, stream: Stream, now: float
    ) -> bool:
        """Change the stream, which is ACTIVE. Return whether that was possible."""
        raise NotImplementedError


class ExchangeSteps(Protocol):
    """A request and its response, as a `RequestKind` sees them. The normal course is `receive`, `respond`, `send`."""

    @property
    def request(self) -> web.BaseRequest:
        """The request, whose body may not have been read yet."""

    def receive(self) -> Awaitable[None]:
        """Read the whole body, and let the faults of the stream act."""

    def receive_half(self) -> Awaitable[None]:
        """Read and drop half of the body."""

    def respond(self, instead: Callable[[Call, KinesisAccount], ServiceResponse] | None = None) -> ServiceResponse:
        """Carry out the request and return the response.

        Args:
            instead: makes the response of a request that can be read and is signed; then nothing is carried out.
        """

    def send(self, response: ServiceResponse) -> Awaitable[web.StreamResponse]:
        """Send the response."""

    def send_half(self, response: ServiceResponse) -> Awaitable[web.StreamResponse]:
        """Send the response's head and half of its body, and close the connection."""
