"""Times in options: `--from`, where reading begins, and `--since` and `--until`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeAlias

from truckstream.errors import InvalidArgumentError

__all__ = ["Start", "parse_start", "parse_time", "parse_times"]

Start: TypeAlias = Literal["TRIM_HORIZON", "LATEST"] | datetime

_TIME_RULE: Final = (
    "a time such as 2026-11-29T08:30 (UTC) or 2026-11-29T08:30+01:00, or an age such as 15m, -15m or '10 minutes ago'"
)
_RULE: Final = f"must be TRIM_HORIZON (the oldest record), LATEST (new records only), {_TIME_RULE}"

_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}

_AGE: Final = re.compile(
    r"-?\s*(?P<number>\d{1,9}(\.\d{1,9})?)\s*"
    r"(?P<unit>s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?)(\s+ago)?",
    re.IGNORECASE | re.ASCII,
)


def parse_start(text: str, now: datetime) -> Start:
    """Return the start that `text` names.

    Args:
        text: the option's value.
        now: the present, with a time zone, which ages count from.

    Raises:
        InvalidArgumentError: it names none, or a time in the future.
    """
    text = text.strip()
    match text.upper():
        case "TRIM_HORIZON":
            return "TRIM_HORIZON"
        case "LATEST":
            return "LATEST"
    time = _time("from", text, now, _RULE)
    if time > now:  # the service accepts no such position
        raise InvalidArgumentError(
            "from", text, f"must not be in the future; it is {now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} now"
        )
    return time


def parse_time(option: str, text: str, now: datetime) -> datetime:
    """Return the time that the value of an option names.

    Raises:
        InvalidArgumentError: it names none.
    """
    return _time(option, text.strip(), now, f"must be {_TIME_RULE}")


def parse_times(now: datetime, **options: str | None) -> dict[str, datetime | None]:
    """Return the times of options by their names; None for one that is not given.

    Raises:
        InvalidArgumentError: a value names no time, or `until` is not after `since`.
    """
    times = {name: None if text is None else parse_time(name, text, now) for name, text in options.items()}
    since, until = times.get("since"), times.get("until")
    if since and until and since >= until:
        raise InvalidArgumentError(
            "until", options["until"], f"must be after since, which is {since:%Y-%m-%dT%H:%M:%SZ}"
        )
    return times


def _time(option: str, text: str, now: datetime, rule: str) -> datetime:
    if age := _AGE.fullmatch(text):
        return _before(option, now, age)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidArgumentError(option, text, rule) from None
    # Without an offset it is UTC, as the times that the columns and the names of the objects show.
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _before(option: str, now: datetime, age: re.Match[str]) -> datetime:
    seconds = float(age["number"]) * _SECONDS[age["unit"][0].lower()]
    try:
        return now - timedelta(seconds=seconds)
    except OverflowError:
        raise InvalidArgumentError(option, age[0], "must not be before the year 1") from None
