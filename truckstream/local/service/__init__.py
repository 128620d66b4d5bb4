"""Kinesis Data Streams as plain objects: a request and the time go in, a response comes out.

`Service.call` is the entry. No file in here uses a socket, a task, a clock or randomness: `now` is an argument
everywhere, in seconds since the epoch. The HTTP endpoint and the event source mapping call the service.

- `validation/` parses requests and checks their constraints.
- `operations/` carries out the operations of the API, one file per group.
- `state/` holds accounts, streams, shards and consumers.
- `quotas/` enforces the limits of shards and of the control plane.
- `identifiers/` makes and reads sequence numbers, shard IDs, hash keys and iterator tokens.

It shares no code with `truckstream.kinesis`, so that it can judge the client. It was written from the service's
documentation and from botocore's model of 2013-12-02 (read 2026-11-23).
"""

from truckstream.local.service.service import Service

__all__ = ["Service"]
