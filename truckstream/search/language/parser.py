"""From the text of a query to its tree.

    any_of   = all_of { ("OR" | "||") all_of }
    all_of   = negation { [ "AND" | "&&" ] negation }
    negation = { "NOT" | "!" | "-" | "+" } term
    term     = "(" any_of ")" | "*" | word | field ":" value
    value    = "(" any_of ")" | ( ">" | ">=" | "<" | "<=" ) word
             | ( "[" | "{" ) word "TO" word ( "]" | "}" ) | word

This is the syntax of OpenSearch's query_string, without fuzzy searches, boosts and regular expressions. It differs in
one rule: words beside each other must all match, as with `default_operator: AND`; and where AND and OR are mixed, AND
binds closer. Lucene has no precedence, so a query with parentheses means the same to both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from truckstream.batcher.formats.stream_fields import ARRIVAL
from truckstream.record import TruckRecord
from truckstream.search.language.fields import SearchField, all_names, nearest, search_fields
from truckstream.search.language.scanner import Scanner
from truckstream.search.language.syntax import And, Everything, Exists, Node, Not, Or, Wildcard, all_of, any_of
from truckstream.search.language.values import compare, compare_word, refuse_other_syntax

if TYPE_CHECKING:
    from truckstream.search.language.scanner import Word
    from truckstream.search.language.syntax import Operator

__all__ = ["parse_query"]

#: OpenSearch refuses queries that nest deeper than 20 (indices.query.bool.max_nested_depth), and searches have a level
#: of their own.
MOST_LEVELS: Final = 16
#: OpenSearch refuses queries of more than 1,024 clauses (indices.query.bool.max_clause_count).
MOST_CLAUSES: Final = 1_000

_OPERATORS: Final[tuple[Operator, ...]] = (">=", "<=", ">", "<")


def parse_query(query: str, schema: Any = TruckRecord) -> Node:
    """Return the tree of a query about records of this schema.

    Raises:
        InvalidQueryError: the query breaks a rule, or names a field that the records do not have.
        InvalidArgumentError: the schema has no fields.
    """
    parser = _Parser(Scanner(query), search_fields(schema), all_names(schema))
    return parser.parse()


class _Parser:
    def __init__(self, scanner: Scanner, fields: dict[str, SearchField], names: tuple[str, ...]) -> None:
        self._scanner = scanner
        self._fields = fields
        self._names = names
        self._levels = 0
        self._clauses = 0

    def parse(self) -> Node:
        scanner = self._scanner
        try:
            scanner.query.encode()
        except UnicodeEncodeError as error:
            scanner.fail(error.start, "this is half of a character")
        scanner.skip_spaces()
        if scanner.at == len(scanner.query):
            scanner.fail(0, "the query is empty; * finds all records")
        node = self._any_of(None)
        if scanner.at < len(scanner.query):
            scanner.fail(scanner.at, f"there is no {scanner.query[scanner.at]} expected here; put it in quotes")
        if _depth(node) > MOST_LEVELS:
            scanner.fail(0, f"the query nests deeper than {MOST_LEVELS} levels")
        return node

    def _any_of(self, field: SearchField | None) -> Node:
        start = self._scanner.at
        self._levels += 1
        if self._levels > 4 * MOST_LEVELS:  # before Python's stack ends; the tree may be flatter than the text
            self._scanner.fail(start, f"the query nests deeper than {MOST_LEVELS} levels")
        nodes = [self._all_of(field)]
        while self._keyword("OR", "||"):
            nodes.append(self._all_of(field))
        self._levels -= 1
        return any_of(nodes)

    def _all_of(self, field: SearchField | None) -> Node:
        nodes = [self._negation(field)]
        while self._keyword("AND", "&&") or self._continues():
            nodes.append(self._negation(field))
        return all_of(nodes)

    def _continues(self) -> bool:
        """Return whether another term follows without a word between the two."""
        scanner = self._scanner
        at = scanner.at
        ends = at == len(scanner.query) or scanner.query[at] in ")]}"
        is_or = scanner.take_keyword("OR", "||") is not None
        scanner.at = at
        return not (ends or is_or)

    def _negation(self, field: SearchField | None) -> Node:
        scanner = self._scanner
        scanner.skip_spaces()
        is_negated = False
        while found := scanner.take_keyword("NOT") or scanner.take("!", "-", "+"):
            is_negated ^= found != "+"
            scanner.skip_spaces()
        node = self._term(field)
        scanner.skip_spaces()
        return Not(node) if is_negated else node

    def _term(self, field: SearchField | None) -> Node:
        scanner = self._scanner
        at = scanner.at
        if scanner.take("("):
            return self._group(at, field)
        if field is None and (named := scanner.take_field()) is not None:
            return self._field_value(*named)
        if field is not None:
            return self._value(field)
        return self._free_word(self._word(at, "a word, a field or a parenthesis must follow"))

    def _group(self, start: int, field: SearchField | None) -> Node:
        node = self._any_of(field)
        if not self._scanner.take(")"):
            self._scanner.fail(start, "the parenthesis that begins here does not end")
        return node

    def _field_value(self, name: str, start: int) -> Node:
        scanner = self._scanner
        scanner.skip_spaces()
        if name == "_exists_":
            word = self._word(scanner.at, "_exists_ must be followed by the name of a field")
            return Exists(self._field(word.text, word.start))
        field = self._field(name, start)
        at = scanner.at
        return self._group(at, field) if scanner.take("(") else self._value(field)

    def _field(self, name: str, start: int) -> SearchField:
        field = self._fields.get(name)
        return self._scanner.fail(start, self._why_not(name)) if field is None else field

    def _why_not(self, name: str) -> str:
        """Return the rule that a field's name breaks."""
        if not name:
            return "the name of a field must stand before the colon"
        if name == ARRIVAL:
            return f"{name} is chosen by --since and --until (since and until of the library)"
        if name in self._names:
            return f"{name} cannot be searched, because its values are no texts, numbers or booleans"
        searchable = tuple(self._fields)
        return f"there is no field {name}.{nearest(name, searchable) or ' Fields: ' + ', '.join(searchable)}"

    def _value(self, field: SearchField) -> Node:
        scanner = self._scanner
        self._count(scanner.at, 1)
        at = scanner.at
        operator = next(filter(scanner.take, _OPERATORS), None)
        if operator is not None:
            scanner.skip_spaces()
            return compare(scanner, field, operator, self._word(at, f"a value must follow {operator}"))
        if bracket := scanner.take("[", "{"):
            return self._range(field, at, bracket)
        return compare_word(scanner, field, self._word(at, f"a value must follow {field.name}:"))

    def _range(self, field: SearchField, start: int, bracket: str) -> Node:
        scanner = self._scanner
        rule = "a range must be like [10 TO 20], {10 TO 20} without its bounds, or [10 TO *]"
        scanner.skip_spaces()
        low = self._word(start, rule)
        scanner.skip_spaces()
        if not scanner.take_keyword("TO"):
            scanner.fail(start, rule)
        scanner.skip_spaces()
        high = self._word(start, rule)
        scanner.skip_spaces()
        end = scanner.take("]", "}")
        if end is None:
            scanner.fail(start, rule)
        bounds: list[tuple[Word, Operator]] = [
            (low, ">=" if bracket == "[" else ">"),
            (high, "<=" if end == "]" else "<"),
        ]
        limits: list[Node] = [
            compare(scanner, field, operator, word)
            for word, operator in bounds
            if word.is_quoted or word.parts != (Wildcard.MANY,)
        ]
        return all_of(limits) if limits else Exists(field)

    def _free_word(self, word: Word) -> Node:
        scanner = self._scanner
        if not word.is_quoted:
            if word.parts == (Wildcard.MANY,):
                return Everything()
            if word.raw in {"AND", "OR", "TO", "&&", "||"}:
                scanner.fail(word.start, f"a word must stand before {word.raw}; put it in quotes to look for it")
            if word.raw in {"and", "or", "not"}:
                rule = f"{word.raw.upper()} connects words; put {word.raw} in quotes to look for it"
                scanner.fail(word.start, rule)
            if word.raw.startswith(_OPERATORS):
                scanner.fail(word.start, f"a field must stand before {word.raw}, such as speed:{word.raw}")
            refuse_other_syntax(scanner, word)
        fields = [field for field in self._fields.values() if field.is_free]
        nodes = [compare_word(scanner, field, word) for field in fields if _may_be(field, word)]
        self._count(word.start, len(nodes))
        if not nodes:
            scanner.fail(word.start, f"no field holds texts, so that {word.raw} needs a field before it")
        return any_of(nodes)

    def _word(self, start: int, rule: str) -> Word:
        word = self._scanner.take_word()
        if word is None:
            self._scanner.fail(start, rule)
        return word

    def _keyword(self, *words: str) -> bool:
        self._scanner.skip_spaces()
        return self._scanner.take_keyword(*words) is not None

    def _count(self, at: int, number: int) -> None:
        self._clauses += number
        if self._clauses > MOST_CLAUSES:
            self._scanner.fail(at, f"the query has more than {MOST_CLAUSES:,} terms; a free word counts once a field")


def _may_be(field: SearchField, word: Word) -> bool:
    """Return whether a field can hold a free word."""
    return not field.choices or word.has_wildcards or word.text in field.choices


def _depth(node: Node) -> int:
    match node:
        case And(nodes) | Or(nodes):
            return 1 + max(map(_depth, nodes))
        case Not(inner):
            return 1 + _depth(inner)
        case _:
            return 0
