"""A fleet of simulated trucks: seeded, at a steady rate or as fast as it can, and on request with broken records.

fleet.py puts the trucks in a row and keeps the pace; pace.py says when a record is due; reports.py is the hot path;
truck.py is the physics, with road.py and faults.py for what happens to a truck; health.py judges a record by its
values; broken.py spoils records in every way that the rules can be broken.
"""

from __future__ import annotations

from truckstream.fleet.corruption import Breakage
from truckstream.fleet.fleet import Fleet, truck_ids
from truckstream.fleet.health import RULES, Rule, health_of, reasons_of
from truckstream.fleet.report_generator import Report

__all__ = ["RULES", "Breakage", "Fleet", "Report", "Rule", "health_of", "reasons_of", "truck_ids"]
