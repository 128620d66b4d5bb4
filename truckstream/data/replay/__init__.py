"""Replay: put rejected records and given-up batches back, each exactly once.

The journal makes it so: an intent before records are replayed, an outcome afterwards (`journal/`). The
effect of a kill at each step is in `journal/hour_log.py` and `recovery.py`; the page for users states the guarantees.
"""

from truckstream.data.replay.reading.rejected import Rejected
from truckstream.data.replay.report import ReplayReport
from truckstream.data.replay.run import replay

__all__ = ["Rejected", "ReplayReport", "replay"]
