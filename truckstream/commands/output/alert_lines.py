"""How `truckstream alerts` prints events and rules for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from truckstream.alerts.rules.durations import duration_text

if TYPE_CHECKING:
    from truckstream.alerts import AlertEvent, RuleSet

__all__ = ["alert_line", "rules_table"]

_STYLES: Final = {"info": "cyan", "warning": "yellow", "critical": "bold red"}


def alert_line(event: AlertEvent) -> Text:
    """Return an event as one line: time, severity, state and message."""
    time = (event.ended or event.began)[:19].replace("T", " ")
    style = _STYLES[event.severity] if event.state == "begun" else "green"
    return Text.assemble(f"{time}  ", (f"{event.severity:8}  {event.state:5}", style), f"  {event.message}")


def rules_table(rules: RuleSet) -> Table:
    """Return the rules as a table."""
    table = Table(box=None, pad_edge=False)
    for name in ("rule", "kind", "severity", "hold", "end hold"):
        table.add_column(name)
    for rule in rules.rules:
        hold, end_hold = duration_text(rule.hold), duration_text(rule.end_hold)
        table.add_row(rule.name, rule.kind, Text(rule.severity, _STYLES[rule.severity]), hold, end_hold)
    return table
