"""`Fault` and `FaultPlan`: what goes wrong, how often and when. Values, checked when they are made."""

from __future__ import annotations

import re
from typing import Any, Final, Self

import msgspec

from truckstream.errors import InvalidArgumentError
from truckstream.local.faults.kinds import DATA_PLANE, KINDS, Kind
from truckstream.local.service.service import OPERATIONS

__all__ = ["Fault", "FaultPlan"]

_STATUSES: Final = (500, 502, 503, 504)
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "": 1.0}
_DURATION: Final = re.compile(r"(-?\d+(?:\.\d+)?)(ms|s|m|h|)")


class Fault(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One thing that goes wrong.

    A fault looks at each chance it gets (a record, or a request, by its kind) within its window and filters, lets the
    first `skip` pass, and then strikes at `rate` until it has struck `count` times.

    Raises:
        InvalidArgumentError: the kind is unknown, or a field breaks its rule or means nothing for the kind.
    """

    #: A name of `truckstream.local.faults.KINDS`.
    kind: str
    #: The share of chances at which it strikes, 0 to 1.
    rate: float = 1.0
    #: How often it strikes at most; None is without end, except that what happens to a stream happens once.
    count: int | None = None
    #: How many chances it lets pass first.
    skip: int = 0
    #: Seconds after the service's start, or after `inject`, when its window begins and ends; None is never.
    after: float = 0.0
    until: float | None = None
    #: Names of operations; empty for all that the kind can strike.
    operations: tuple[str, ...] = ()
    #: Shard IDs; empty for all. Of throttle, internal-failure(-after), split and merge.
    shards: tuple[str, ...] = ()
    #: Of latency, and of skew, where it may be negative: the service's clock is then behind.
    seconds: float = 0.0
    #: Of latency: up to this many seconds more.
    jitter: float = 0.0
    #: Of error-before and error-after: 500, 502, 503 or 504; 0 is 500.
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

    @property
    def definition(self) -> Kind:
        """What its kind means."""
        return KINDS[self.kind]

    @property
    def limit(self) -> float:
        """How often it strikes at most."""
        if self.count is not None:
            return self.count
        return 1 if self.definition.target == "stream" else float("inf")

    def concerns(self, operation: str) -> bool:
        """Whether it can strike this operation."""
        if self.operations:
            return operation in self.operations
        if self.kind == "limit-exceeded":
            return operation not in DATA_PLANE
        if self.definition.target == "record":
            return operation in {"PutRecord", "PutRecords"}
        return True

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "throttle:rate=0.3,count=100,after=5s,until=2m,operations=PutRecords+PutRecord".

        Times are in seconds, or have a unit of ms, s, m, h. Lists are joined by "+". A JSON object does as well.

        Raises:
            InvalidArgumentError: it cannot be read, or is no fault.
        """
        if text.startswith("{"):
            return cls.read(_json(text))
        kind, _, rest = text.strip().partition(":")
        values: dict[str, Any] = {}
        for pair in filter(None, rest.split(",")):
            name, equals, value = (part.strip() for part in pair.partition("="))
            if not equals or name not in _READERS:
                rule = f"after the colon stand {', '.join(_READERS)}, each with = and a value"
                raise InvalidArgumentError("fault", text, f"{pair!r} is not understood; {rule}")
            try:
                values[name] = _READERS[name](value)
            except ValueError as error:
                raise InvalidArgumentError(name, value, str(error)) from None
        return cls(kind, **values)

    @classmethod
    def read(cls, document: object) -> Self:
        """Read the JSON object that `msgspec.to_builtins(fault)` gives.

        Raises:
            InvalidArgumentError: it has another shape, or is no fault.
        """
        try:
            return msgspec.convert(document, cls)
        except msgspec.ValidationError as error:
            if isinstance(error.__cause__, InvalidArgumentError):
                raise error.__cause__ from None
            raise InvalidArgumentError("fault", document, str(error)) from None


class FaultPlan:
    """The faults of a service from its start. One plan may serve many: it is never changed.

    Args:
        faults: where several would end the same request, the first of them does.
        seed: the same seed and the same requests, in the same order, meet the same faults.
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
        ("seconds", fault.kind != "latency" or fault.seconds + fault.jitter > 0, "must be over 0, or jitter must"),
        ("seconds", fault.kind != "latency" or fault.seconds >= 0, "must be at least 0 for latency"),
        ("seconds", fault.kind != "skew" or fault.seconds != 0, "must not be 0 for skew"),
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
        if fault.definition.target == "record" and operation not in {"PutRecord", "PutRecords", "GetRecords"}:
            raise InvalidArgumentError("operations", operation, f"{fault.kind} strikes records only")
        if operation == "GetRecords" and fault.kind.startswith("internal-failure"):
            raise InvalidArgumentError("operations", operation, f"{fault.kind} strikes writes only")


def _json(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise InvalidArgumentError("fault", text, f"must be a JSON object: {error}") from None


def _duration(text: str) -> float:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError("must be a number of seconds, or have a unit: 500ms, 5s, 2m, 1h")
    return float(found[1]) * _UNITS[found[2]]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("must be a number") from None


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("must be a whole number") from None


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split("+"))


_READERS: Final = {
    "rate": _number,
    "count": _whole,
    "skip": _whole,
    "after": _duration,
    "until": _duration,
    "operations": _names,
    "shards": _names,
    "seconds": _duration,
    "jitter": _duration,
    "status": _whole,
}
