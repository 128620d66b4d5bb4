"""Records with fields of every kind, and strategies for queries about them."""

from __future__ import annotations

from typing import Literal

import msgspec
from hypothesis import strategies as st

from truckstream.search.language.fields import search_fields
from truckstream.search.language.syntax import And, Comparison, Everything, Exists, Node, Not, Or, Pattern, Wildcard

#: No half of a surrogate pair, which no JSON text in UTF-8 can hold.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=4) | st.text("aB%_*?\\ \"'", max_size=4)
FLOATS = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -0.0, 1.0, -1.5])
WHOLES = st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 2)


class Reading(msgspec.Struct, forbid_unknown_fields=True):
    """A record with a field of each kind; all may be absent."""

    name: str | None = None
    state: Literal["GOOD", "BAD"] | None = None
    heat: float | None = None
    count: int | None = None
    is_on: bool | None = None
    tags: list[str] | None = None


FIELDS = search_fields(Reading)

READINGS = st.builds(
    Reading,
    name=st.none() | TEXTS,
    state=st.sampled_from([None, "GOOD", "BAD"]),
    heat=st.none() | FLOATS,
    count=st.none() | WHOLES,
    is_on=st.sampled_from([None, True, False]),
    tags=st.none(),
)

_OPERATORS = st.sampled_from(["=", "<", "<=", ">", ">="])
_PARTS = st.lists(TEXTS.filter(bool) | st.sampled_from(Wildcard), min_size=1, max_size=4).filter(
    lambda parts: any(isinstance(part, Wildcard) for part in parts) and parts != [Wildcard.MANY]
)


def _leaf() -> st.SearchStrategy[Node]:
    return st.one_of(
        st.just(Everything()),
        st.sampled_from(list(FIELDS.values())).map(Exists),
        st.builds(Comparison, st.just(FIELDS["name"]), _OPERATORS, TEXTS),
        st.builds(Comparison, st.just(FIELDS["state"]), st.just("="), st.sampled_from(["GOOD", "BAD"])),
        st.builds(Comparison, st.just(FIELDS["heat"]), _OPERATORS, FLOATS),
        st.builds(Comparison, st.just(FIELDS["count"]), _OPERATORS, WHOLES),
        st.builds(Comparison, st.just(FIELDS["is_on"]), st.just("="), st.booleans()),
        st.builds(Pattern, st.just(FIELDS["name"]), _PARTS.map(tuple)),
    )


NODES: st.SearchStrategy[Node] = st.recursive(
    _leaf(),
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=2, max_size=3).map(lambda nodes: And(tuple(nodes))),
        st.lists(inner, min_size=2, max_size=3).map(lambda nodes: Or(tuple(nodes))),
    ),
    max_leaves=6,
)
