"""The wire client: the service's limits, its errors by kind, the shard map, and a client for one stream.

Usable alone: nothing here depends on buffers, pacing or retries. One call is one attempt.
"""
