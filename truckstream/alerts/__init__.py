"""Alerts: rules on the reports of trucks, and an event at the beginning and the end of each incident.

`AlertEvaluator` evaluates the reports of one shard, without IO. `truckstream.alerts.running.Alerts` evaluates a stream,
and sends the events to the targets of `truckstream.alerts.delivery`. They are apart, because the Lambda function and
the dashboard need no consumer.
"""

from __future__ import annotations

from truckstream.alerts.alert_event import AlertEvent
from truckstream.alerts.evaluation.evaluator import AlertEvaluator
from truckstream.alerts.evaluation.report import TruckReport, make_report, read_report
from truckstream.alerts.rules.default_rules import DEFAULT_RULES
from truckstream.alerts.rules.rule_set import RuleSet
from truckstream.alerts.rules.rules_file import default_rules, read_rules

__all__ = [
    "DEFAULT_RULES",
    "AlertEvaluator",
    "AlertEvent",
    "RuleSet",
    "TruckReport",
    "default_rules",
    "make_report",
    "read_report",
    "read_rules",
]
