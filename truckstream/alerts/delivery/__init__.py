"""Where alerts go: a function of the program, SNS, a webhook, or another stream."""

from __future__ import annotations

from truckstream.alerts.delivery.line_target import LineTarget
from truckstream.alerts.delivery.sns_target import SnsTarget
from truckstream.alerts.delivery.stream_target import EventStreamTarget
from truckstream.alerts.delivery.target import AlertTarget
from truckstream.alerts.delivery.webhook_target import WebhookTarget

__all__ = ["AlertTarget", "EventStreamTarget", "LineTarget", "SnsTarget", "WebhookTarget"]
