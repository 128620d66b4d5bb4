"""Store the windows of a local stream in a directory; kill the own process after so many objects, if asked to.

Arguments: the endpoint, the directory, the application, and the number of objects (0 for no kill).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from truckstream.consumer.tables import SqliteTable
from truckstream.stream_sql import SqlStream
from truckstream.stream_sql.sinks.store_sink import StoreSink

SQL = "SELECT truck_id, count(*) AS n, sum(engine_rpm) AS rpm FROM records GROUP BY truck_id"


async def main(endpoint: str, folder: str, application: str, kill_after: int) -> None:
    table = SqliteTable(Path(folder, "progress.sqlite"))
    stream = SqlStream(
        "truck-sensor-stream",
        SQL,
        window=10,
        every=0.1,
        lateness=0,
        start="TRIM_HORIZON",
        application=application,
        leases=table,
        endpoint_url=endpoint,
        region_name="us-east-1",
    )
    sink = StoreSink(folder, stream.options.query_id)
    stored = 0
    async with stream:
        async for result in stream:
            await sink.write(result)
            stored += 1
            if stored == kill_after:
                os.kill(os.getpid(), signal.SIGKILL)
            sys.stdout.write(f"{result.window_start.isoformat()} {stream.stats.late}\n")
            sys.stdout.flush()


asyncio.run(main(*sys.argv[1:4], int(sys.argv[4])))
