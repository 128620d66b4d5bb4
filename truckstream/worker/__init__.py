"""The batcher on a consumer: a stream's records in objects, each stored once, without Lambda.

README.md in this folder is the page for users.
"""

from __future__ import annotations

from truckstream.worker.worker import ShardConsumer, Worker

__all__ = ["ShardConsumer", "Worker"]
