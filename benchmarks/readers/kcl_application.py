"""An application of the Kinesis Client Library that looks at each record's bytes, and counts the records.

kcl_application.py FILE     as the library's daemon starts it: one process for each shard, which all append to FILE
"""

import sys
import time

from amazon_kclpy import kcl
from amazon_kclpy.v3 import processor

FILE = open(sys.argv[1], "a", buffering=1, encoding="utf-8")  # noqa: SIM115, PTH123 - open as long as the process
#: As truckstream's Consumer does by default.
CHECKPOINT_SECONDS = 5.0


class Counter(processor.RecordProcessorBase):
    def initialize(self, initialize_input):
        self.shard_id = initialize_input.shard_id
        self.saved_at = time.monotonic()

    def process_records(self, process_records_input):
        sizes = [len(record.binary_data) for record in process_records_input.records]
        FILE.write(f"{len(sizes)}\n")
        if time.monotonic() > self.saved_at + CHECKPOINT_SECONDS:
            process_records_input.checkpointer.checkpoint()
            self.saved_at = time.monotonic()

    def lease_lost(self, lease_lost_input):
        pass

    def shard_ended(self, shard_ended_input):
        shard_ended_input.checkpointer.checkpoint()

    def shutdown_requested(self, shutdown_requested_input):
        shutdown_requested_input.checkpointer.checkpoint()


kcl.KCLProcess(Counter()).run()
