"""The kinds of rules as a table: which keys each has in a file, and how its values are read."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_args

from truckstream.alerts.rules.durations import parse_duration
from truckstream.alerts.rules.rule import (
    STATUSES,
    GeofenceRule,
    HealthRule,
    Severity,
    SilenceRule,
    ThresholdRule,
    TyreLossRule,
)
from truckstream.alerts.rules.zone import Circle, Polygon
from truckstream.record import FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from truckstream.alerts.rules.rule import AlertRule
    from truckstream.alerts.rules.zone import Zone

__all__ = ["KINDS", "NAME_RULE", "RULE_NAME", "InvalidValueError", "RuleKind", "one_of"]

RULE_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]{0,63}")
NAME_RULE: Final = "has 1 to 64 letters, digits, _ and -, and begins with a letter or a digit"

#: A day: a longer hold would outlive what is known of a truck.
_LONGEST_HOLD: Final = 86_400.0
_MOST_CORNERS: Final = 1_000
_NUMBERS: Final = {field.name: field for field in FIELDS if field.kind in {int, float}}
_MISSING: Final = object()


def one_of(names: Iterable[str]) -> str:
    """Return names as a choice."""
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last


class InvalidValueError(ValueError):
    """The value of a key breaks a rule, or is missing."""

    def __init__(self, key: str, value: object, rule: str) -> None:
        super().__init__(key, value, rule)
        self.key = key
        self.value = value
        self.rule = rule

    @property
    def is_missing(self) -> bool:
        """Whether there is no value."""
        return self.value is _MISSING


class RuleKind(NamedTuple):
    """One kind of rule."""

    #: All keys that its table may have.
    keys: tuple[str, ...]
    #: Make the rule of this name of its table, whose keys are known. Raises InvalidValueError.
    make: Callable[[str, Mapping[str, Any]], AlertRule]


# --- Values ---------------------------------------------------------------------------------------


def _number(
    table: Mapping[str, Any], key: str, default: object = _MISSING, low: float = -math.inf, high: float = math.inf
) -> float:
    value = table.get(key, default)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or not low <= value <= high:
        bounds = (f"at least {low:g}" if low > -math.inf else "", f"at most {high:g}" if high < math.inf else "")
        rule = " and ".join(filter(None, bounds))
        raise InvalidValueError(key, value, f"must be a number{f', {rule}' if rule else ''}")
    return float(value)


def _duration(table: Mapping[str, Any], key: str, default: str, *, is_positive: bool = False) -> float:
    value = table.get(key, default)
    seconds = parse_duration(value) if isinstance(value, str) else None
    if seconds is None or seconds > _LONGEST_HOLD or (is_positive and seconds == 0):
        rule = 'must be a time such as "30s", "5m" or "1h", at most "1d"' + (", and above 0" if is_positive else "")
        raise InvalidValueError(key, value, rule)
    return seconds


def _choice(table: Mapping[str, Any], key: str, choices: Iterable[str], default: object = _MISSING) -> str:
    value = table.get(key, default)
    choices = tuple(choices)
    if not isinstance(value, str) or value not in choices:
        raise InvalidValueError(key, value, f"must be {one_of(choices)}")
    return value


def _shared(name: str, table: Mapping[str, Any], severity: Severity = "warning") -> dict[str, Any]:
    return {
        "name": name,
        "severity": _choice(table, "severity", get_args(Severity), severity),
        "hold": _duration(table, "hold", "0s"),
        "end_hold": _duration(table, "end_hold", "1m"),
    }


# --- Kinds ----------------------------------------------------------------------------------------


def _health(name: str, table: Mapping[str, Any]) -> AlertRule:
    status = _choice(table, "status", STATUSES[1:], "URGENT")
    better = STATUSES[: STATUSES.index(status)]
    end = _choice(table, "end", better, better[-1])
    return HealthRule(**_shared(name, table, "critical"), status=status, end=end)


def _threshold(name: str, table: Mapping[str, Any]) -> AlertRule:
    field = _choice(table, "field", _NUMBERS)
    if ("above" in table) == ("below" in table):
        raise InvalidValueError("above or below", _MISSING, "must have one of the two, and not both")
    side = "above" if "above" in table else "below"
    limit = _number(table, side)
    low, high = _valid_range(field)
    if not (low <= limit < high if side == "above" else low < limit <= high):
        rule = f"must lie within the valid values of {field}, {low:g} to {high:g}: beyond it no record is valid"
        raise InvalidValueError(side, table[side], rule)
    end = _number(table, "end", limit)
    if not low <= end <= high or (end > limit if side == "above" else end < limit):
        good = f"{low:g} to {limit:g}" if side == "above" else f"{limit:g} to {high:g}"
        raise InvalidValueError("end", table["end"], f"must be on the good side of {side} = {limit:g}, from {good}")
    return ThresholdRule(**_shared(name, table), field=field, limit=limit, end=end, is_upper=side == "above")


def _valid_range(field: str) -> tuple[float, float]:
    row = _NUMBERS[field]
    low = -math.inf if row.minimum is None else row.minimum
    return low, math.inf if row.maximum is None else row.maximum


def _silence(name: str, table: Mapping[str, Any]) -> AlertRule:
    shared = _shared(name, table)
    return SilenceRule(**{**shared, "hold": _duration(table, "hold", "5m", is_positive=True)})


def _tyre_loss(name: str, table: Mapping[str, Any]) -> AlertRule:
    limit = _number(table, "above", low=0.001)
    end = _number(table, "end", limit / 2, 0.0, limit)
    window = _duration(table, "window", "2m", is_positive=True)
    return TyreLossRule(**_shared(name, table, "critical"), limit=limit, end=end, window=window)


def _geofence(name: str, table: Mapping[str, Any]) -> AlertRule:
    if ("circle" in table) == ("polygon" in table):
        raise InvalidValueError("circle or polygon", _MISSING, "must have one of the two, and not both")
    return GeofenceRule(
        **_shared(name, table),
        zone=_circle(table["circle"]) if "circle" in table else _polygon(table["polygon"]),
        is_inside=_choice(table, "when", ("inside", "outside")) == "inside",
        margin=_number(table, "margin_miles", 0.1, 0.0, 100.0),
    )


def _circle(value: object) -> Zone:
    names = {"latitude", "longitude", "radius_miles"}
    if not isinstance(value, dict) or set(value) != names:
        rule = "must be a table such as { latitude = 39.7, longitude = -105.0, radius_miles = 15.0 }"
        raise InvalidValueError("circle", value, rule)
    return Circle(
        _number(value, "latitude", low=-90, high=90),
        _number(value, "longitude", low=-180, high=180),
        _number(value, "radius_miles", low=0.01, high=5_000),
    )


def _polygon(value: object) -> Zone:
    rule = f"must be 3 to {_MOST_CORNERS:,} corners [latitude, longitude], such as [[27, 85], [28, 85], [28, 86]]"
    if not isinstance(value, list) or not 3 <= len(value) <= _MOST_CORNERS:  # noqa: PLR2004 - a triangle
        raise InvalidValueError("polygon", value, rule)
    return Polygon(tuple(_corner(corner, rule) for corner in value))


def _corner(value: object, rule: str) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2:  # noqa: PLR2004 - latitude and longitude
        raise InvalidValueError("polygon", value, rule)
    place = {"latitude": value[0], "longitude": value[1]}
    return _number(place, "latitude", low=-90, high=90), _number(place, "longitude", low=-180, high=180)


_SHARED: Final = ("kind", "severity", "hold", "end_hold")

#: By the names in a file.
KINDS: Final = {
    "health": RuleKind((*_SHARED, "status", "end"), _health),
    "threshold": RuleKind((*_SHARED, "field", "above", "below", "end"), _threshold),
    "silence": RuleKind(_SHARED, _silence),
    "tyre_loss": RuleKind((*_SHARED, "above", "end", "window"), _tyre_loss),
    "geofence": RuleKind((*_SHARED, "when", "circle", "polygon", "margin_miles"), _geofence),
}
