"""The rules that come with the product, as the text that a user begins with.

It is a module, because the function's zip holds modules only.
"""

from __future__ import annotations

from typing import Final

__all__ = ["DEFAULT_RULES"]

DEFAULT_RULES: Final = """\
# Rules of `truckstream alerts`, one table for each: [rules.NAME].
#
# A rule begins an incident when its condition has held for `hold` (a report that is not beyond the limit starts the
# count again), and ends it when the condition of the end has held for `end_hold`. Write times as "30s", "5m", "1h" or
# "1d". `severity` is info, warning or critical.

# A truck without a report for this long is watched no more, and its incidents end.
forget = "24h"

# The truck itself reports that it should stop.
[rules.urgent-health]
kind = "health"
severity = "critical"
status = "URGENT"      # begins at this health_status, or a worse one
end = "WARNING"        # ends at this one, or a better one
end_hold = "1m"

[rules.engine-hot]
kind = "threshold"
severity = "warning"
field = "engine_temp"
above = 110.0          # or: below
end = 105.0            # ends at this value or beyond it, on the other side
hold = "30s"
end_hold = "1m"

[rules.oil-pressure-low]
kind = "threshold"
severity = "critical"
field = "oil_pressure"
below = 15.0
end = 20.0
hold = "10s"
end_hold = "1m"

[rules.fuel-low]
kind = "threshold"
severity = "info"
field = "fuel_level"
below = 8.0
end = 12.0
hold = "1m"

# No report arrives. While the stream is read late, nobody counts as silent.
[rules.silent-truck]
kind = "silence"
severity = "warning"
hold = "5m"
end_hold = "1m"

# The pressure of any tyre falls by more than so many PSI a minute, over the window.
[rules.tyre-loss]
kind = "tyre_loss"
severity = "critical"
above = 0.5
end = 0.1
window = "2m"

# Zones: a truck is inside (or outside) a circle or a polygon. Remove the # of a line to use it.
#
# [rules.at-the-depot]
# kind = "geofence"
# severity = "info"
# when = "inside"        # begins when a truck enters, ends when it leaves; "outside" is the opposite
# circle = { latitude = 27.717, longitude = 85.325, radius_miles = 2.0 }
# margin_miles = 0.1     # a band beyond the edge, in which a truck is neither inside nor outside
#
# [rules.left-the-region]
# kind = "geofence"
# severity = "warning"
# when = "outside"
# polygon = [[29.2, 83.7], [29.2, 87.0], [26.2, 87.0], [26.2, 83.7]]   # corners: latitude, longitude
"""
