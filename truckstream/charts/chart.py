"""A chart: a specification in Vega-Lite with the rows that it shows, and the parts that it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Axis", "Chart", "LimitLine", "Row", "Span"]

Row: TypeAlias = "Mapping[str, object]"


@dataclass(frozen=True, slots=True)
class Axis:
    """A field of the rows, and how its axis shows it."""

    field: str
    #: With the unit: "CPU time, µs a record".
    title: str
    #: A number format of d3.
    format: str = ",~r"

    def encoding(self, *, axis: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """Return the encoding of a channel. The format is that of tooltips, and without trailing zeros of the axis."""
        short = self.format if "~" in self.format else f"{self.format[:-1]}~{self.format[-1]}"
        shown = {"format": short, **(axis or {})}
        field = {"field": self.field, "type": "quantitative", "title": self.title, "format": self.format}
        return {**field, "axis": shown, **more}


@dataclass(frozen=True, slots=True)
class LimitLine:
    """A limit: a dashed line with a label."""

    value: float
    label: str


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the x axis that something special happens in."""

    start: float
    end: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart of a page."""

    title: str
    #: How the figures were measured: one or two sentences.
    caption: str
    spec: dict[str, Any]
    rows: Sequence[Row]
    #: It takes half the width of the page.
    half: bool = False
