"""Event-time windows over a stream: watermarks, aggregates, and state that moves with a shard's lease."""

from truckstream.windows.watermark import Watermark

__all__ = ["Watermark"]
