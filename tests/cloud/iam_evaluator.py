"""Evaluate IAM policies by AWS's rules: a Deny overrides an Allow, and a call without an Allow is denied.

Only the features that our policies use are supported: wildcards, and the condition operators of `_OPERATORS`, Null and
ForAnyValue. Any other operator raises an error, so that no condition is ignored.

A permissions boundary limits a role: a call must be allowed by the role's policies and by the boundary.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


@dataclass(frozen=True)
class Call:
    """One call as IAM sees it: action, resource, and the values of condition keys."""

    action: str
    resource: str
    context: dict[str, Any] = field(default_factory=dict)


def allows(documents: Iterable[Mapping[str, Any]], call: Call) -> bool:
    """Return whether these policies together allow the call."""
    found = [each for document in documents for each in document["Statement"] if _applies(each, call)]
    effects = {each["Effect"] for each in found}
    return "Deny" not in effects and "Allow" in effects


def _applies(statement: Mapping[str, Any], call: Call) -> bool:
    return (
        any(_matches(call.action, action, re.IGNORECASE) for action in _list(statement["Action"]))
        and any(_matches(call.resource, resource) for resource in _list(statement["Resource"]))
        and all(
            _holds(operator, key, wanted, call.context)
            for operator, pairs in statement.get("Condition", {}).items()
            for key, wanted in pairs.items()
        )
    )


def _matches(text: str, pattern: str, flags: int = 0) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text, flags) is not None


def _holds(operator: str, key: str, wanted: Any, context: Mapping[str, Any]) -> bool:
    if operator == "Null":
        return (key not in context) is (wanted == "true")
    quantifier, _, plain = operator.rpartition(":")
    if quantifier == "ForAnyValue":
        return any(_OPERATORS[plain](value, wanted) for value in _list(context.get(key, [])))
    assert not quantifier, f"the condition operator {operator} is not supported"
    return key in context and _OPERATORS[plain](context[key], wanted)


def _is_one_of(value: Any, wanted: Any) -> bool:
    return value in _list(wanted)


def _is_like(value: Any, wanted: Any) -> bool:
    return any(_matches(value, each) for each in _list(wanted))


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "StringEquals": _is_one_of,
    "Bool": _is_one_of,
    "StringLike": _is_like,
    "ArnEquals": _is_like,
    "ArnLike": _is_like,
    "NumericLessThan": lambda value, wanted: float(value) < float(wanted),
    "NumericGreaterThanEquals": lambda value, wanted: float(value) >= float(wanted),
}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
