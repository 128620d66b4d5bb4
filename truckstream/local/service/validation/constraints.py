"""Does a request that could be read keep its constraints? A ValidationException lists those that it breaks.

Each names its member in the manner of Java: `records.1.member.partitionKey`. The service tells ten at most. Of a list
of texts, and of the keys and of the values of a map, it shows the whole, and says once what holds for each [rec].
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from truckstream.local.service.errors import not_valid
from truckstream.local.service.validation.shapes import KEYLESS, REQUESTS, Items, Pairs, Rule, Shape, Text, Whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["data_too_long", "validate"]

_MOST: Final = 10


def validate(operation: str, request: dict[str, Any], *, keyless: bool = False) -> None:
    """Hold a request that could be read to its constraints.

    Args:
        operation: its name.
        request: as `read_request` gives it.
        keyless: for the two writes: the stream distributes its records without keys.

    Raises:
        RefusedError: a ValidationException that lists what it breaks.
    """
    problems = list(islice(_problems((KEYLESS if keyless else REQUESTS)[operation], request, ""), _MOST))
    if problems:
        raise not_valid(problems)


def data_too_long(record: int, size: int, maximum: int) -> str:
    """The sentence for a record over the stream's size, data and key.

    `record` counts from 1, and 0 means PutRecord's only one.
    """
    path = f"records.{record}.member.data" if record else "data"
    shown = f"java.nio.HeapByteBuffer[pos=0 lim={size} cap={size}]"
    return _broken(path, f"Member must have length less than or equal to {maximum}", shown)


def _problems(rule: Rule, value: Any, path: str) -> Iterator[str]:
    match rule:
        case Shape():
            yield from _shape_problems(rule, value, path)
        case Items():
            yield from _list_problems(rule, value, path)
        case Pairs():
            yield from _map_problems(rule, value, path)
        case Text() | Whole():
            for constraint in _broken_by(rule, value):
                yield _broken(path, constraint, str(value))


def _shape_problems(rule: Shape, value: dict[str, Any], path: str) -> Iterator[str]:
    for name in rule.required:
        if name not in value:
            yield _broken(_join(path, name), "Member must not be null", None)
    for name, member in value.items():
        yield from _problems(rule.members[name], member, _join(path, name))


def _list_problems(rule: Items, value: list[Any], path: str) -> Iterator[str]:
    # Java tells an object by its class and a number that means nothing.
    told = [f"{rule.member.name}@0"] * len(value) if isinstance(rule.member, Shape) else map(str, value)
    shown = f"[{', '.join(told)}]"
    for constraint in _lengths(rule, len(value)):
        yield _broken(path, constraint, shown)
    if not isinstance(rule.member, Text):
        for number, item in enumerate(value, 1):
            yield from _problems(rule.member, item, f"{path}.{number}.member")
    elif _any_breaks(rule.member, value):
        yield _broken(path, f"Member must satisfy constraint: [{_told(rule.member)}]", shown)


def _map_problems(rule: Pairs, value: dict[str, str], path: str) -> Iterator[str]:
    shown = "{" + ", ".join(f"{key}={item}" for key, item in value.items()) + "}"
    for constraint in _lengths(rule, len(value)):
        yield _broken(path, constraint, shown)
    if _any_breaks(rule.key, value):
        yield _broken(path, f"Map keys must satisfy constraint: [{_told(rule.key)}]", shown)
    if _any_breaks(rule.value, value.values()):
        yield _broken(path, f"Map value must satisfy constraint: [{_told(rule.value)}]", shown)


def _any_breaks(rule: Text, values: Iterable[str]) -> bool:
    return any(True for value in values for _ in _broken_by(rule, value))


def _broken_by(rule: Text | Whole, value: Any) -> Iterator[str]:
    """The constraints of a text or a number that this one breaks."""
    if isinstance(rule, Whole):
        if rule.minimum is not None and value < rule.minimum:
            yield f"Member must have value greater than or equal to {rule.minimum}"
        if rule.maximum is not None and value > rule.maximum:
            yield f"Member must have value less than or equal to {rule.maximum}"
        return
    if rule.choices and value not in rule.choices:
        yield _choices(rule)
    if rule.pattern and not re.fullmatch(rule.pattern, value):
        yield f"Member must satisfy regular expression pattern: {rule.pattern}"
    yield from _lengths(rule, len(value))


def _told(rule: Text) -> str:
    """All constraints of a text, as they are told of a list's members."""
    told = [_choices(rule)] if rule.choices else []
    if rule.maximum is not None:
        told.append(f"Member must have length less than or equal to {rule.maximum}")
        told.append(f"Member must have length greater than or equal to {rule.minimum}")
    return ", ".join(told)


def _choices(rule: Text) -> str:
    return f"Member must satisfy enum value set: [{', '.join(rule.choices)}]"


def _lengths(rule: Text | Items | Pairs, length: int) -> Iterator[str]:
    if length < rule.minimum:
        yield f"Member must have length greater than or equal to {rule.minimum}"
    if rule.maximum is not None and length > rule.maximum:
        yield f"Member must have length less than or equal to {rule.maximum}"


def _broken(path: str, constraint: str, shown: str | None) -> str:
    """One broken constraint."""
    value = "null" if shown is None else f"'{shown}'"
    return f"Value {value} at '{path}' failed to satisfy constraint: {constraint}"


def _join(path: str, name: str) -> str:
    name = name[0].lower() + name[1:]
    return f"{path}.{name}" if path else name
