"""From a word of a query to the value of a field, with errors that name the field, the value and the rule."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final, NoReturn

from truckstream.search.language.fields import nearest
from truckstream.search.language.syntax import Comparison, Exists, Pattern, Wildcard

if TYPE_CHECKING:
    from truckstream.search.language.fields import SearchField
    from truckstream.search.language.scanner import Scanner, Word
    from truckstream.search.language.syntax import Node, Operator, Value

__all__ = ["compare", "compare_word", "refuse_other_syntax"]

_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WHOLE: Final = re.compile(r"[+-]?\d{1,40}", re.ASCII)
#: The integers of a column of DuckDB and of a `long` of OpenSearch.
_LEAST, _MOST = -(2**63), 2**63 - 1

#: Syntax of query_string that this language does not have.
_UNSUPPORTED: Final = (
    (re.compile(r"/.*", re.DOTALL), "a regular expression"),
    (re.compile(r".*[^\\]~\d*(\.\d+)?", re.DOTALL), "a fuzzy search"),
    (re.compile(r".*[^\\]\^\d+(\.\d+)?", re.DOTALL), "a boost"),
)


def refuse_other_syntax(scanner: Scanner, word: Word) -> None:
    """Raise an error if OpenSearch would read the word as something that this language does not have."""
    if word.is_quoted:
        return
    for form, name in _UNSUPPORTED:
        if form.fullmatch(word.raw):
            scanner.fail(word.start, f"{name} is not supported; put {word.raw} in quotes to look for this text")


def compare_word(scanner: Scanner, field: SearchField, word: Word) -> Node:
    """Return the node of `field:word`."""
    refuse_other_syntax(scanner, word)
    if word.parts == (Wildcard.MANY,):
        return Exists(field)
    if not word.has_wildcards:
        return compare(scanner, field, "=", word)
    if field.kind != "text":
        _fail(scanner, field, word, "wildcards are for texts, and this field holds no texts")
    return Pattern(field, word.parts)


def compare(scanner: Scanner, field: SearchField, operator: Operator, word: Word) -> Comparison:
    """Return the comparison of a field with a word."""
    refuse_other_syntax(scanner, word)
    if word.has_wildcards and operator != "=":
        _fail(scanner, field, word, "a bound of a range has no wildcards")
    if field.kind == "boolean" and operator != "=":
        _fail(scanner, field, word, "the field is true or false, and has no ranges")
    return Comparison(field, operator, _value(scanner, field, operator, word))


def _value(scanner: Scanner, field: SearchField, operator: Operator, word: Word) -> Value:
    match field.kind:
        case "text":
            _check_choice(scanner, field, operator, word)
            return word.text
        case "whole":
            return _whole(scanner, field, word)
        case "number":
            return _number(scanner, field, word)
        case "boolean":
            if word.text not in {"true", "false"}:
                _fail(scanner, field, word, "must be true or false")
            return word.text == "true"


def _check_choice(scanner: Scanner, field: SearchField, operator: Operator, word: Word) -> None:
    if field.choices and operator == "=" and word.text not in field.choices:
        rule = f"must be one of {', '.join(field.choices)}.{nearest(word.text, field.choices)}"
        _fail(scanner, field, word, rule)


def _whole(scanner: Scanner, field: SearchField, word: Word) -> int:
    if not (_WHOLE.fullmatch(word.text) and _LEAST <= int(word.text) <= _MOST):
        _fail(scanner, field, word, "must be a whole number of at most 64 bits, such as 1500")
    return int(word.text)


def _number(scanner: Scanner, field: SearchField, word: Word) -> float:
    if not (_NUMBER.fullmatch(word.text) and math.isfinite(float(word.text))):
        _fail(scanner, field, word, "must be a number, such as 200 or -3.5")
    return float(word.text)


def _fail(scanner: Scanner, field: SearchField, word: Word, rule: str) -> NoReturn:
    scanner.fail(word.start, f"{field.name} is {word.raw}: {rule}")
