"""Read rules from TOML. Errors name the rule, the key, its value, and the values that are allowed."""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, NoReturn

from truckstream.alerts.rules.default_rules import DEFAULT_RULES
from truckstream.alerts.rules.durations import parse_duration
from truckstream.alerts.rules.rule_kinds import KINDS, NAME_RULE, RULE_NAME, InvalidValueError, one_of
from truckstream.alerts.rules.rule_set import RuleSet
from truckstream.errors import ConfigurationError, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from truckstream.alerts.rules.rule import AlertRule

__all__ = ["default_rules", "read_rules"]

_TOP: Final = ("forget", "rules")
_HINT: Final = "`truckstream alerts --print-default-rules` prints rules to begin with."


def default_rules() -> RuleSet:
    """Return the rules that come with the product."""
    return read_rules(DEFAULT_RULES, "the default rules")


def read_rules(text: str, name: str = "rules.toml") -> RuleSet:
    """Return the rules of a text in TOML.

    Args:
        text: the content of the file.
        name: the name of the file, for errors.

    Raises:
        ConfigurationError: names the file, the rule, the key and its value, and what is allowed.
    """
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigurationError(name, f"is no TOML: {error}", _HINT) from error
    _check_keys(name, document, _TOP)
    tables = document.get("rules")
    if not isinstance(tables, dict) or not tables:
        raise ConfigurationError(name, "has no rules", f"Write each as a table [rules.NAME]. {_HINT}")
    rules = tuple(_read_rule(name, rule, table) for rule, table in tables.items())
    forget = 86_400.0
    if "forget" in document:
        forget = _forget(name, document["forget"], max(rule.hold for rule in rules))
    return RuleSet(rules=rules, forget=forget)


def _read_rule(file: str, name: str, table: object) -> AlertRule:
    where = f"{file}: rule {printable(repr(name))}"
    if not RULE_NAME.fullmatch(name):
        raise ConfigurationError(where, "has no valid name", f"A name {NAME_RULE}.")
    if not isinstance(table, dict):
        raise ConfigurationError(where, f"is {_shown(table)}", f"It must be a table: [rules.{name}].")
    if "kind" not in table:
        raise ConfigurationError(where, "has no kind", f"Set kind to {one_of(KINDS)}.")
    kind = KINDS.get(table["kind"]) if isinstance(table["kind"], str) else None
    if kind is None:
        hint = f"It must be {one_of(KINDS)}."
        raise ConfigurationError(f"{where}: kind", f"is {_shown(table['kind'])}", hint + _guess(table["kind"], KINDS))
    _check_keys(where, table, kind.keys)
    try:
        return kind.make(name, table)
    except InvalidValueError as error:
        if error.is_missing:
            raise ConfigurationError(where, f"has no {error.key}", f"It {error.rule}.") from None
        raise ConfigurationError(f"{where}: {error.key}", f"is {_shown(error.value)}", f"It {error.rule}.") from None


def _check_keys(where: str, table: Mapping[str, Any], known: Iterable[str]) -> None:
    for key in table:
        if key not in known:
            _fail_unknown(where, key, known)


def _fail_unknown(where: str, key: str, known: Iterable[str]) -> NoReturn:
    hint = f"The keys here are {', '.join(known)}."
    raise ConfigurationError(where, f"has the unknown key {_shown(key)}", hint + _guess(key, known))


def _guess(word: object, known: Iterable[str]) -> str:
    close = get_close_matches(str(word), list(known), n=1)
    return f" Do you mean {close[0]}?" if close else ""


def _forget(file: str, value: object, longest_hold: float) -> float:
    seconds = parse_duration(value) if isinstance(value, str) else None
    if seconds is None or seconds <= longest_hold:
        hint = 'It must be a time such as "24h", longer than each hold.'
        raise ConfigurationError(f"{file}: forget", f"is {_shown(value)}", hint)
    return seconds


def _shown(value: object) -> str:
    text = printable(repr(value))
    return text if len(text) <= 80 else f"{text[:80]}…"  # noqa: PLR2004 - a line
