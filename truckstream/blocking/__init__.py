"""A producer for code that does not await: scripts, threads, WSGI applications."""

from truckstream.blocking.delivery import Delivery
from truckstream.blocking.producer import Producer

__all__ = ["Delivery", "Producer"]
