"""Alerts: rules on the reports of trucks, and an event at the beginning and the end of each incident."""

from __future__ import annotations

from truckstream.alerts.alert_event import AlertEvent
from truckstream.alerts.evaluation.evaluator import AlertEvaluator
from truckstream.alerts.evaluation.report import Report, read_report
from truckstream.alerts.rules.rule_set import RuleSet
from truckstream.alerts.rules.rules_file import DEFAULT_RULES, default_rules, read_rules

__all__ = [
    "DEFAULT_RULES",
    "AlertEvaluator",
    "AlertEvent",
    "Report",
    "RuleSet",
    "default_rules",
    "read_report",
    "read_rules",
]
