"""The wire: limits of the service, kinds of failure, keys and shards, and a client for one stream.

Usable alone: nothing here knows of buffers, pacing or retries. One call is one attempt.
"""
