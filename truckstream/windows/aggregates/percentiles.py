"""Percentiles by DDSketch, with Datadog's package: each is within 1 % of a value with the rank that was asked for.

DDSketch counts values in bins whose limits grow by a constant factor. Merging adds counts, so the result depends
neither on the order of the records nor on how they were divided, and a restart changes nothing. That is not so with a
t-digest, and KLL draws random numbers.

The package's own stores reserve 128 bins at once. A window of one truck has some dozens of values in a few bins, so the
bins are kept in a dictionary (`sparse_store.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from truckstream.checks import check_number
from truckstream.errors import ConfigurationError, InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ddsketch.ddsketch import BaseDDSketch

    from truckstream.windows.aggregates.aggregate import Field
    from truckstream.windows.aggregates.sparse_store import SparseStore

__all__ = ["Percentiles"]


@cache
def _packages() -> tuple[type[BaseDDSketch], type[Any], type[SparseStore]]:
    """Return the sketch, its mapping from values to bins, and its store."""
    try:
        from ddsketch.ddsketch import BaseDDSketch  # noqa: PLC0415 - an optional package
        from ddsketch.mapping import LogarithmicMapping  # noqa: PLC0415

        from truckstream.windows.aggregates.sparse_store import SparseStore  # noqa: PLC0415 - imports the package
    except ImportError as error:
        hint = 'Install it: pip install "truckstream[windows]".'
        raise ConfigurationError("Percentiles", "needs ddsketch, which is not installed", hint) from error
    return BaseDDSketch, LogarithmicMapping, SparseStore


class _Sketch:
    __slots__ = ("_negative", "_percentiles", "_positive", "_sketch", "_zeros")

    def __init__(self, percentiles: Percentiles, state: Any = (0, (), ())) -> None:
        sketch, mapping, store = _packages()
        self._percentiles = percentiles
        self._zeros, positive, negative = state
        self._positive, self._negative = store(dict(positive)), store(dict(negative))
        self._sketch = sketch(mapping(percentiles.accuracy), self._positive, self._negative, self._zeros)

    def add(self, values: Sequence[Any]) -> None:
        for value in values:
            self._sketch.add(value)

    def merge(self, other: _Sketch) -> None:
        self._sketch.merge(other._sketch)

    def value(self) -> dict[str, float | None]:
        quantile = self._sketch.get_quantile_value
        return {f"p{percent:g}": quantile(percent / 100) for percent in self._percentiles.percents}

    def state(self) -> list[Any]:
        zeros = int(self._sketch.count) - self._positive.count - self._negative.count
        return [zeros, list(self._positive.bins.items()), list(self._negative.bins.items())]


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Percentiles of a field's values, as a dictionary: `Percentiles("speed", (50, 99))` makes `{"p50": …, "p99": …}`.

    Needs `truckstream[windows]`.

    Args:
        field: the field.
        percents: from 0 to 100.
        accuracy: the greatest relative error. With the default there are 115 bins between 10 and 100, and each bin that
            has values takes some 100 bytes.
    """

    field: Field
    percents: tuple[float, ...] = (50, 95, 99)
    accuracy: float = 0.01

    def __post_init__(self) -> None:
        if not isinstance(self.percents, tuple) or not self.percents:
            raise InvalidArgumentError("percents", self.percents, "must be a tuple of numbers, such as (50, 99)")
        for percent in self.percents:
            check_number("percents", percent, 0, 100)
        check_number("accuracy", self.accuracy, 0.0001, 0.5)
        _packages()

    def new(self) -> _Sketch:
        return _Sketch(self)

    def restore(self, state: Any) -> _Sketch:
        return _Sketch(self, state)
