"""Evaluate IAM policies by AWS's rules: a Deny overrides an Allow, and a call without an Allow is denied.

Only the features that our policies use are supported: wildcards, and the condition operators StringEquals, ArnEquals,
Bool, Null and NumericLessThan. Any other operator raises an error, so that no condition is ignored.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


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
    if key not in context:
        return False
    if operator in {"StringEquals", "Bool"}:
        return context[key] in _list(wanted)
    if operator == "ArnEquals":
        return any(_matches(context[key], each) for each in _list(wanted))
    if operator == "NumericLessThan":
        return float(context[key]) < float(wanted)
    raise AssertionError(f"the condition operator {operator} is not supported")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def resolved(value: Any, references: Mapping[str, Any]) -> Any:
    """Return a value of a template with its intrinsic functions evaluated; None if a condition removes it.

    `references` contains the values of names (Ref), attributes (Name.Attribute) and conditions (True or False).
    """
    if isinstance(value, list):
        return [found for each in value if (found := resolved(each, references)) is not None]
    if not isinstance(value, dict):
        return value
    [(name, argument), *more] = value.items()
    if not more and name in INTRINSIC:
        return INTRINSIC[name](argument, references)
    return {name: found for name, each in value.items() if (found := resolved(each, references)) is not None}


def _if(argument: Any, references: Mapping[str, Any]) -> Any:
    condition, yes, no = argument
    return resolved(yes if references[condition] else no, references)


def _substitute(argument: Any, references: Mapping[str, Any]) -> str:
    text, more = argument if isinstance(argument, list) else (argument, {})
    names = {**references, **{name: resolved(each, references) for name, each in more.items()}}
    return re.sub(r"\$\{([^}]+)\}", lambda match: str(names[match[1]]), text)


INTRINSIC = {
    "Ref": lambda name, references: references.get(name),
    "Fn::GetAtt": lambda path, references: references[".".join(path)],
    "Fn::If": _if,
    "Fn::Sub": _substitute,
    "Fn::Split": lambda argument, references: resolved(argument[1], references).split(argument[0]),
}
