"""The fleet on one page, live: a view of its state, feeds that fill it, and a server.

README.md in this folder is the page for users.
"""

from __future__ import annotations

from truckstream.dashboard.serving.server import Dashboard
from truckstream.dashboard.view.fleet_view import FleetView, Update
from truckstream.dashboard.view.source import ViewSource

__all__ = ["Dashboard", "FleetView", "Update", "ViewSource"]
