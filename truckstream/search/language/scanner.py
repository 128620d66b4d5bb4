"""Words of a query, with their places in the text and their escapes resolved.

A backslash takes the special meaning from the character after it, as in OpenSearch's query_string. Quotes take it from
all characters between them, except for the backslash.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NoReturn

from truckstream.errors import InvalidQueryError
from truckstream.search.language.syntax import Wildcard

__all__ = ["Scanner", "Word"]

#: The characters that end a word.
_ENDS: Final = frozenset('()[]{}"')
_WILDCARDS: Final = {each.value: each for each in Wildcard}


@dataclass(frozen=True, slots=True)
class Word:
    """A word, or a quoted text."""

    #: The text as it stands in the query.
    raw: str
    #: The index of its first character in the query.
    start: int
    #: The texts and wildcards that it consists of.
    parts: tuple[str | Wildcard, ...]
    is_quoted: bool = False

    @property
    def text(self) -> str:
        """The word without escapes, wildcards included as characters."""
        return "".join(each if isinstance(each, str) else each.value for each in self.parts)

    @property
    def has_wildcards(self) -> bool:
        return any(isinstance(each, Wildcard) for each in self.parts)


class Scanner:
    """Reads a query from left to right."""

    def __init__(self, query: str) -> None:
        self.query = query
        self.at = 0

    def fail(self, at: int, rule: str) -> NoReturn:
        """Raise an error about a place of the query."""
        raise InvalidQueryError(self.query, at, rule)

    def skip_spaces(self) -> None:
        while self.at < len(self.query) and self.query[self.at].isspace():
            self.at += 1

    def starts_with(self, text: str) -> bool:
        return self.query.startswith(text, self.at)

    def take(self, *texts: str) -> str | None:
        """Go past the first of these texts that comes next, and return it; None if none of them does."""
        for text in texts:
            if self.starts_with(text):
                self.at += len(text)
                return text
        return None

    def take_keyword(self, *words: str) -> str | None:
        """Go past one of these words if it comes next as a whole, and return it."""
        for word in words:
            end = self.at + len(word)
            if self.starts_with(word) and (end == len(self.query) or self._ends_word(end)):
                self.at = end
                return word
        return None

    def take_field(self) -> tuple[str, int] | None:
        """Go past a field's name and its colon, and return the name and its index; None if no field comes next."""
        start, at = self.at, self.at
        name: list[str] = []
        while at < len(self.query) and not self._ends_word(at):
            if self.query[at] == ":":
                self.at = at + 1
                return "".join(name), start
            at += self.query[at] == "\\"
            name.append(self.query[at : at + 1])
            at += 1
        return None

    def take_word(self) -> Word | None:
        """Go past a word or a quoted text, and return it; None if neither comes next."""
        return self._quoted() if self.starts_with('"') else self._word()

    def _word(self) -> Word | None:
        start, parts = self.at, []
        while self.at < len(self.query) and not self._ends_word(self.at):
            parts.append(self._wildcard() or self._character())
        return Word(self.query[start : self.at], start, _joined(parts)) if parts else None

    def _quoted(self) -> Word:
        start = self.at
        self.at += 1
        parts: list[str | Wildcard] = []
        while not self.starts_with('"'):
            if self.at >= len(self.query):
                self.fail(start, "the quotes that begin here do not end")
            parts.append(self._character())
        self.at += 1
        return Word(self.query[start : self.at], start, _joined(parts), is_quoted=True)

    def _wildcard(self) -> Wildcard | None:
        found = _WILDCARDS.get(self.query[self.at])
        self.at += found is not None
        return found

    def _character(self) -> str:
        if self.query[self.at] == "\\":
            self.at += 1
            if self.at == len(self.query):
                self.fail(self.at - 1, "a backslash must be followed by the character that it escapes")
        self.at += 1
        return self.query[self.at - 1]

    def _ends_word(self, at: int) -> bool:
        return self.query[at].isspace() or self.query[at] in _ENDS


def _joined(parts: list[str | Wildcard]) -> tuple[str | Wildcard, ...]:
    """Return the parts with neighbouring texts as one."""
    joined: list[str | Wildcard] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        else:
            joined.append(part)
    return tuple(joined)
