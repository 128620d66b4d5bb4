"""Faults by a seeded plan.

`kinds` is the table of what there is, `fault` one fault and a plan of them as values, `injector` the plan at work (no
socket, no clock), `effects` what a fault does to the service, and `wire` what it does to the connection.
"""

from truckstream.local.faults.fault import Fault, FaultPlan
from truckstream.local.faults.injector import FaultReport
from truckstream.local.faults.kinds import KINDS, Kind

__all__ = ["KINDS", "Fault", "FaultPlan", "FaultReport", "Kind"]
