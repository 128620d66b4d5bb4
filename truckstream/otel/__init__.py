"""Metrics for OpenTelemetry: `pip install 'truckstream[otel]'`.

```python
async with Producer("truck-sensor-stream", observer=OpenTelemetryObserver()) as producer:
async with Consumer("truck-sensor-stream", observer=OpenTelemetryConsumerObserver()) as consumer:
```

`truckstream.metrics` lists the metrics. They go to the meter provider that your program has set; without one,
OpenTelemetry's API discards them. One observer may watch any number of producers, or of consumers, of any streams.
"""

from truckstream.otel.consumer_observer import OpenTelemetryConsumerObserver
from truckstream.otel.producer_observer import OpenTelemetryObserver

__all__ = ["OpenTelemetryConsumerObserver", "OpenTelemetryObserver"]
