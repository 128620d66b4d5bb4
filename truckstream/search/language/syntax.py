"""The tree of a query. A record for which a comparison has no value does not match it, and so matches its negation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from truckstream.search.language.fields import SearchField

__all__ = [
    "And",
    "Comparison",
    "Everything",
    "Exists",
    "Node",
    "Not",
    "Operator",
    "Or",
    "Pattern",
    "Value",
    "Wildcard",
    "all_of",
    "any_of",
]

Operator = Literal["=", "<", "<=", ">", ">="]
Value: TypeAlias = str | int | float | bool


class Wildcard(Enum):
    """A place of a pattern that is open."""

    #: Any characters, also none.
    MANY = "*"
    #: One character.
    ONE = "?"


@dataclass(frozen=True, slots=True)
class Everything:
    """Every record."""


@dataclass(frozen=True, slots=True)
class Exists:
    """The field has a value."""

    field: SearchField


@dataclass(frozen=True, slots=True)
class Comparison:
    """The field's value compares like this. Texts compare by their code points, and upper and lower case differ."""

    field: SearchField
    operator: Operator
    #: A str for a text, an int for a whole number, a float for another number, a bool for a boolean.
    value: Value


@dataclass(frozen=True, slots=True)
class Pattern:
    """The field's whole text fits the pattern."""

    field: SearchField
    parts: tuple[str | Wildcard, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The rest of the records."""

    node: Node


@dataclass(frozen=True, slots=True)
class And:
    """All of these hold; there are at least two."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of these holds; there are at least two."""

    nodes: tuple[Node, ...]


Node: TypeAlias = Everything | Exists | Comparison | Pattern | Not | And | Or


def all_of(nodes: list[Node]) -> Node:
    """Return a node for all of these, of which there is at least one."""
    return nodes[0] if len(nodes) == 1 else And(tuple(nodes))


def any_of(nodes: list[Node]) -> Node:
    """Return a node for any of these, of which there is at least one."""
    return nodes[0] if len(nodes) == 1 else Or(tuple(nodes))
