"""The figures of a view: rates, throttles, latency and lag."""
