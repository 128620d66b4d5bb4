"""Make windows of a stream until SIGTERM, in a process of its own. The first argument is a JSON object of settings."""

from __future__ import annotations

import asyncio
import json
import signal
import sys

from tests.windows.support import decode
from truckstream import Consumer
from truckstream.consumer.tables import SqliteTable
from truckstream.windows import Count, Mean, Session, SqliteSink, Sum, Tumbling, Windowed, WindowPlan

KINDS = {"tumbling": Tumbling(5), "session": Session(4)}


def plan_of(kind: str) -> WindowPlan:
    """Return the windows that the test expects. The lateness is longer than the test."""
    return WindowPlan(
        KINDS[kind],
        aggregates={"records": Count(), "total": Sum("speed"), "mean": Mean("speed")},
        decode=decode,
        out_of_orderness=1,
        allowed_lateness=100_000,
    )


async def main(endpoint_url: str, folder: str, kind: str) -> None:
    consumer = Consumer(
        "trucks",
        application="speeds",
        region_name="us-east-1",
        endpoint_url=endpoint_url,
        leases=SqliteTable(f"{folder}/leases.sqlite"),
        lease_duration=1.0,
        max_batch_records=50,
    )
    async with consumer:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, consumer.stop)
        sink = SqliteSink(f"{folder}/results.sqlite")
        await Windowed(consumer, plan_of(kind), sink=sink, state=f"{folder}/states", checkpoint_interval=0.2).run()


if __name__ == "__main__":
    asyncio.run(main(**json.loads(sys.argv[1])))
