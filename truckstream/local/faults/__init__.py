"""Faults that are injected according to a plan with a seed.

`fault` has one fault and a plan of faults as values, `injector` decides which of them strike (without a socket or a
clock), and `kinds/` has the kinds with their effects.
"""

from truckstream.local.faults.fault import Fault, FaultPlan
from truckstream.local.faults.injector import FaultReport
from truckstream.local.faults.kinds.kind import Kind
from truckstream.local.faults.kinds.table import KINDS

__all__ = ["KINDS", "Fault", "FaultPlan", "FaultReport", "Kind"]
