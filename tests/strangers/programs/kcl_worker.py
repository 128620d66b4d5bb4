"""A worker of kcl-rs: reads the stream through a reshard until it has seen so many records, and prints what it saw.

python kcl_worker.py STREAM COUNT SECONDS
"""

import json
import sys
import threading

from kcl_rs import RecordProcessorBase, Scheduler

stream, count, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
seen: list[tuple[str, str]] = []
ended: list[str] = []
complete = threading.Event()


class Processor(RecordProcessorBase):
    def initialize(self, initialize_input):
        self.shard_id = initialize_input.shard_id

    def process_records(self, process_records_input):
        seen.extend((self.shard_id, record.binary_data.decode()) for record in process_records_input.records)
        process_records_input.checkpointer.checkpoint()
        if len(seen) >= count:
            complete.set()

    def lease_lost(self, lease_lost_input):
        pass

    def shard_ended(self, shard_ended_input):
        ended.append(self.shard_id)
        shard_ended_input.checkpointer.checkpoint()

    def shutdown_requested(self, shutdown_requested_input):
        shutdown_requested_input.checkpointer.checkpoint()


scheduler = Scheduler(
    stream_name=stream,
    application_name=f"application-{stream}",
    record_processor_factory=Processor,
    initial_position="TRIM_HORIZON",
    region="us-east-1",
    retrieval_mode="POLLING",
    idle_time_between_reads_millis=250,
    shard_sync_interval_millis=1000,
)
scheduler.start()
complete.wait(seconds)
sys.stdout.write(json.dumps({"seen": seen, "ended": ended}))
sys.stdout.flush()
scheduler.shutdown()
