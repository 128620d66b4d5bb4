"""Checks whether a parsed request satisfies its constraints. A ValidationException lists the violated ones.

Each violation names its member in the manner of Java, such as `records.1.member.partitionKey`. The service lists at
most ten. For a list of texts, and for the keys and the values of a map, it shows the whole collection and lists the
constraints of its members once [rec].
"""

from __future__ import annotations

import re
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from truckstream.local.service.errors import not_valid
from truckstream.local.service.validation.shapes import KEYLESS, REQUESTS, Items, Pairs, Rule, Shape, Text, Whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["data_too_long", "validate"]

_MOST: Final = 10
#: Characters of a text that is matched against its pattern. Texts with a pattern have at most 2,048.
_LOOKED_AT: Final = 8 * 1024


def validate(operation: str, request: dict[str, Any], *, keyless: bool = False) -> None:
    """Check a parsed request against the constraints of its operation.

    Args:
        operation: name of the operation.
        request: as `read_request` returns it.
        keyless: whether the stream distributes its records without keys (for PutRecord and PutRecords).

    Raises:
        RefusedError: a ValidationException that lists the violations.
    """
    problems = list(islice(_problems((KEYLESS if keyless else REQUESTS)[operation], request, ""), _MOST))
    if problems:
        raise not_valid(problems)


def data_too_long(record: int, size: int, maximum: int) -> str:
    """Return the violation for a record whose data and key exceed the largest record of the stream.

    `record` counts from 1; 0 is the only record of a PutRecord.
    """
    path = f"records.{record}.member.data" if record else "data"
    shown = f"java.nio.HeapByteBuffer[pos=0 lim={size} cap={size}]"
    return _violation(path, f"Member must have length less than or equal to {maximum}", shown)


def _problems(rule: Rule, value: Any, path: str) -> Iterator[str]:
    match rule:
        case Shape():
            yield from _shape_problems(rule, value, path)
        case Items():
            yield from _list_problems(rule, value, path)
        case Pairs():
            yield from _map_problems(rule, value, path)
        case Text() | Whole():
            for constraint in _violated_by(rule, value):
                yield _violation(path, constraint, str(value))


def _shape_problems(rule: Shape, value: dict[str, Any], path: str) -> Iterator[str]:
    for name in rule.required:
        if name not in value:
            yield _violation(_join(path, name), "Member must not be null", None)
    for name, member in value.items():
        yield from _problems(rule.members[name], member, _join(path, name))


def _list_problems(rule: Items, value: list[Any], path: str) -> Iterator[str]:
    # Java prints an object as its class and an arbitrary number.
    printed = [f"{rule.member.name}@0"] * len(value) if isinstance(rule.member, Shape) else map(str, value)
    shown = f"[{', '.join(printed)}]"
    for constraint in _lengths(rule, len(value)):
        yield _violation(path, constraint, shown)
    if not isinstance(rule.member, Text):
        for number, item in enumerate(value, 1):
            yield from _problems(rule.member, item, f"{path}.{number}.member")
    elif _any_violates(rule.member, value):
        yield _violation(path, f"Member must satisfy constraint: [{_all_constraints(rule.member)}]", shown)


def _map_problems(rule: Pairs, value: dict[str, str], path: str) -> Iterator[str]:
    shown = "{" + ", ".join(f"{key}={item}" for key, item in value.items()) + "}"
    for constraint in _lengths(rule, len(value)):
        yield _violation(path, constraint, shown)
    if _any_violates(rule.key, value):
        yield _violation(path, f"Map keys must satisfy constraint: [{_all_constraints(rule.key)}]", shown)
    if _any_violates(rule.value, value.values()):
        yield _violation(path, f"Map value must satisfy constraint: [{_all_constraints(rule.value)}]", shown)


def _any_violates(rule: Text, values: Iterable[str]) -> bool:
    return any(True for value in values for _ in _violated_by(rule, value))


def _violated_by(rule: Text | Whole, value: Any) -> Iterator[str]:
    """Yield the constraints of a text or a number that `value` violates."""
    if isinstance(rule, Whole):
        if rule.minimum is not None and value < rule.minimum:
            yield f"Member must have value greater than or equal to {rule.minimum}"
        if rule.maximum is not None and value > rule.maximum:
            yield f"Member must have value less than or equal to {rule.maximum}"
        return
    if rule.choices and value not in rule.choices:
        yield _choices(rule)
    if rule.pattern and not _matches(rule, value):
        yield f"Member must satisfy regular expression pattern: {rule.pattern}"
    yield from _lengths(rule, len(value))


def _matches(rule: Text, value: str) -> bool:
    """Return whether a text matches its pattern. One that is far too long is not looked at."""
    if len(value) > _LOOKED_AT:
        return rule.maximum is not None  # then it is reported for its length
    return _compiled(rule.pattern).fullmatch(value) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile one of the service's patterns so that no text takes it longer than a few milliseconds.

    With "a.*b.*c", a text of many b and no c takes time in proportion to the square of its length, and with more ".*"
    to a higher power. But if the first b leads to no c, no later one does: what follows a ".*" is found at its first
    place, or not at all. The end is the exception, because it must reach the end of the text.
    """
    start, *parts = pattern.split(".*")
    if not parts:
        return re.compile(pattern)
    *middle, end = parts
    return re.compile(f"{start}{''.join(f'(?>.*?{part})' for part in middle)}.*{end}")


def _all_constraints(rule: Text) -> str:
    """Return all constraints of a text, as the service lists them for the members of a list."""
    constraints = [_choices(rule)] if rule.choices else []
    if rule.maximum is not None:
        constraints.append(f"Member must have length less than or equal to {rule.maximum}")
        constraints.append(f"Member must have length greater than or equal to {rule.minimum}")
    return ", ".join(constraints)


def _choices(rule: Text) -> str:
    return f"Member must satisfy enum value set: [{', '.join(rule.choices)}]"


def _lengths(rule: Text | Items | Pairs, length: int) -> Iterator[str]:
    if length < rule.minimum:
        yield f"Member must have length greater than or equal to {rule.minimum}"
    if rule.maximum is not None and length > rule.maximum:
        yield f"Member must have length less than or equal to {rule.maximum}"


def _violation(path: str, constraint: str, shown: str | None) -> str:
    """Return the message for one violated constraint."""
    value = "null" if shown is None else f"'{shown}'"
    return f"Value {value} at '{path}' failed to satisfy constraint: {constraint}"


def _join(path: str, name: str) -> str:
    name = name[0].lower() + name[1:]
    return f"{path}.{name}" if path else name
