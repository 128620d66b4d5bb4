"""Alerts on a stream: a processor for each shard of a consumer, with its state and its outboxes."""

from __future__ import annotations

from truckstream.alerts.running.alerts import Alerts, AlertStats

__all__ = ["AlertStats", "Alerts"]
