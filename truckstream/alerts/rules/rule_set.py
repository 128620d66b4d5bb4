"""All rules of one file."""

from __future__ import annotations

import msgspec

from truckstream.alerts.rules.rule import AlertRule

__all__ = ["RuleSet"]


class RuleSet(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of a file. `read_rules` checks them; make them by hand in tests only."""

    rules: tuple[AlertRule, ...]
    #: Seconds without a report after which a truck is watched no more.
    forget: float = 86_400.0
