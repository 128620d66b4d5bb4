"""Kinesis Data Streams as plain objects: requests and the time go in, answers come out.

Nothing here knows a socket, a task, a clock or chance: `now` is an argument everywhere, in seconds since the epoch.
`Service.call` is the door; the HTTP endpoint and the event source mapping stand before it.

It shares no line with `truckstream.kinesis`: it was written from the service's documentation and botocore's model of
2013-12-02 (read 2026-11-23), so that it can judge the client.
"""

from truckstream.local.service.service import Service

__all__ = ["Service"]
