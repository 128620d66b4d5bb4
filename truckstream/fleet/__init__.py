"""A fleet of simulated trucks: seeded, at a steady rate or as fast as possible, and on request with broken records.

`fleet.py` takes the trucks in turn and keeps to the rate, which `release_schedule.py` computes. `report_generator.py`
is the hot path from a truck to its reports. `truck.py` is the physics, with `route.py` for the road and `defect.py` for
breakdowns; `health.py` derives a record's health from its values. `corruption.py` breaks records in every way that the
rules can be broken.
"""

from __future__ import annotations

from truckstream.fleet.corruption import Breakage
from truckstream.fleet.fleet import Fleet, truck_ids
from truckstream.fleet.health import RULES, Rule, health_of, reasons_of
from truckstream.fleet.report_generator import Report

__all__ = ["RULES", "Breakage", "Fleet", "Report", "Rule", "health_of", "reasons_of", "truck_ids"]
