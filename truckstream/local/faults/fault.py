"""`Fault` and `FaultPlan`: the faults to inject, how often and when. Values that are checked when they are made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

import msgspec

from truckstream.errors import InvalidArgumentError
from truckstream.local.faults.fault_text import decode_json, read_options
from truckstream.local.faults.kinds.table import KINDS
from truckstream.local.service.service import OPERATIONS

if TYPE_CHECKING:
    from truckstream.local.faults.kinds.kind import Kind

__all__ = ["Fault", "FaultPlan"]

_STATUSES: Final = (500, 502, 503, 504)


class Fault(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One fault to inject.

    A fault gets a chance at each record or at each request, depending on its kind. It ignores chances outside its
    window and its filters, lets the first `skip` pass, and then strikes at `rate` until it has struck `count` times.

    Raises:
        InvalidArgumentError: the kind is unknown, or a field breaks its rule or means nothing for the kind.
    """

    #: A name of `truckstream.local.faults.KINDS`.
    kind: str
    #: Probability that it strikes at a chance, 0 to 1.
    rate: float = 1.0
    #: How often it strikes at most. None means any number of times, or once if the kind changes the stream.
    count: int | None = None
    #: Number of chances to let pass first.
    skip: int = 0
    #: The window in seconds after the service's start or after `inject`. None means no end.
    after: float = 0.0
    until: float | None = None
    #: Names of operations. Empty for all that the kind strikes by default.
    operations: tuple[str, ...] = ()
    # The following are only for the kinds that have them among their `options`.
    #: Shard IDs. Empty for all shards.
    shards: tuple[str, ...] = ()
    #: A delay, or the skew of the service's clock, which is behind if this is negative.
    seconds: float = 0.0
    #: Up to this many seconds are added to the delay.
    jitter: float = 0.0
    #: The HTTP status of an error: 500, 502, 503 or 504. 0 means 500.
    status: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InvalidArgumentError("kind", self.kind, f"must be one of {', '.join(KINDS)}")
        _check_numbers(self)
        _check_names(self)
        for field in ("shards", "seconds", "jitter", "status"):
            if getattr(self, field) and field not in self.definition.options:
                kinds = ", ".join(name for name, kind in KINDS.items() if field in kind.options)
                raise InvalidArgumentError(field, getattr(self, field), f"means nothing for {self.kind}, only: {kinds}")
        self.definition.check(self)

    @property
    def definition(self) -> Kind:
        """The `Kind` that `kind` names."""
        return KINDS[self.kind]

    @property
    def limit(self) -> float:
        """How often it strikes at most."""
        return self.definition.default_count if self.count is None else self.count

    def concerns(self, operation: str) -> bool:
        """Return whether it can strike this operation."""
        if self.operations:
            return operation in self.operations
        return self.definition.strikes_by_default(operation)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read text such as "throttle:rate=0.3,count=100,after=5s,until=2m,operations=PutRecords+PutRecord".

        Times are in seconds or have a unit: ms, s, m or h. Lists are joined by "+". A JSON object is accepted as well.

        Raises:
            InvalidArgumentError: the text cannot be read, or a value breaks a rule.
        """
        if text.startswith("{"):
            return cls.read(decode_json(text))
        kind, _, rest = text.strip().partition(":")
        return cls(kind, **read_options(text, rest))

    @classmethod
    def read(cls, document: object) -> Self:
        """Read the JSON object that `msgspec.to_builtins(fault)` returns.

        Raises:
            InvalidArgumentError: the object has another shape, or a value breaks a rule.
        """
        try:
            return msgspec.convert(document, cls)
        except msgspec.ValidationError as error:
            if isinstance(error.__cause__, InvalidArgumentError):
                raise error.__cause__ from None
            raise InvalidArgumentError("fault", document, str(error)) from None


class FaultPlan:
    """The faults of a service from its start. A plan never changes, so that several services can share it.

    Args:
        faults: if several would replace the response to one request, the first of them does.
        seed: with the same seed and the same requests in the same order, the same faults strike.
    """

    def __init__(self, *faults: Fault, seed: int = 0) -> None:
        self.faults = faults
        self.seed = seed

    def __repr__(self) -> str:
        return f"FaultPlan({', '.join([*map(repr, self.faults), f'seed={self.seed}'])})"


def _check_numbers(fault: Fault) -> None:
    rules: list[tuple[str, bool, str]] = [
        ("rate", 0 <= fault.rate <= 1, "must be between 0 and 1"),
        ("count", fault.count is None or fault.count >= 1, "must be at least 1"),
        ("skip", fault.skip >= 0, "must be at least 0"),
        ("after", fault.after >= 0, "must be at least 0"),
        ("until", fault.until is None or fault.until > fault.after, f"must be later than after, {fault.after:g}"),
        ("jitter", fault.jitter >= 0, "must be at least 0"),
        ("status", fault.status in {0, *_STATUSES}, f"must be one of {', '.join(map(str, _STATUSES))}"),
    ]
    for field, holds, rule in rules:
        if not holds:
            raise InvalidArgumentError(field, getattr(fault, field), rule)


def _check_names(fault: Fault) -> None:
    for field in ("operations", "shards"):
        if isinstance(getattr(fault, field), str):
            raise InvalidArgumentError(field, getattr(fault, field), "must be a tuple of names")
    for operation in fault.operations:
        if operation not in OPERATIONS:
            raise InvalidArgumentError("operations", operation, "must be names of operations, such as PutRecords")
