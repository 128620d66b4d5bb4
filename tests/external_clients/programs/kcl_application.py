"""An application of the Kinesis Client Library: writes each call of a shard's processor to a file, as a line of JSON.

kcl_application.py FILE       as the library's daemon starts it
"""

import json
import sys
from typing import Any

from amazon_kclpy import kcl
from amazon_kclpy.v3 import processor

FILE = open(sys.argv[1], "a", buffering=1, encoding="utf-8")  # noqa: SIM115, PTH123 - open as long as the process


class Processor(processor.RecordProcessorBase):
    def initialize(self, initialize_input: Any) -> None:
        self.shard_id = initialize_input.shard_id
        self.say("begins", "")

    def process_records(self, process_records_input: Any) -> None:
        for record in process_records_input.records:
            self.say("record", record.binary_data.decode())
        if process_records_input.records:
            process_records_input.checkpointer.checkpoint()

    def lease_lost(self, lease_lost_input: Any) -> None:  # noqa: ARG002 - the library's signature
        self.say("lost", "")

    def shard_ended(self, shard_ended_input: Any) -> None:
        self.say("ends", "")
        shard_ended_input.checkpointer.checkpoint()

    def shutdown_requested(self, shutdown_requested_input: Any) -> None:
        shutdown_requested_input.checkpointer.checkpoint()

    def say(self, fact: str, value: str) -> None:
        FILE.write(json.dumps([self.shard_id, fact, value]) + "\n")


kcl.KCLProcess(Processor()).run()
