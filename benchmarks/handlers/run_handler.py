"""Run one handler in this process, and print its figures as a line of JSON. Needs only the standard library.

    python run_handler.py '{"module": "with_boto3", "question": "encode", "event": "event.json", "seconds": 2}'

A handler is a module with `lambda_handler(event, context)` and with `encode(event)`, which returns the bodies of its
objects. `event` names a file with the event as JSON. `seconds` is how long to measure, approximately, after a warm-up.
"""

import json
import resource
import sys
import time
from importlib import import_module
from types import SimpleNamespace


class Context:
    """The part of Lambda's context that the handlers read."""

    function_name = "trucks"
    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"

    @staticmethod
    def get_remaining_time_in_millis():
        return 300_000


def clocks():
    """Return the CPU time (user and system, all threads) and the wall-clock time, in seconds."""
    return time.process_time(), time.perf_counter()


def cold(job, event):
    """Measure the import with the first client, which an empty event creates, and then the first event."""
    begun = clocks()
    handler = import_module(job.module).lambda_handler
    handler({"Records": []}, Context())
    ready = clocks()
    response = handler(event, Context())
    done = clocks()
    assert response["batchItemFailures"] == [], response
    return {
        "start_cpu_ms": (ready[0] - begun[0]) * 1e3,
        "call_cpu_ms": (done[0] - ready[0]) * 1e3,
        "start_wall_ms": (ready[1] - begun[1]) * 1e3,
        "call_wall_ms": (done[1] - ready[1]) * 1e3,
    }


def encode(job, event):
    """Measure encoding the event's objects, repeatedly."""
    module = import_module(job.module)
    objects = module.encode(event)
    figures = _repeat(job, lambda: module.encode(event), len(event["Records"]))
    return {**figures, "objects": len(objects), "object_bytes": sum(map(len, objects))}


def deliver(job, event):
    """Measure storing the event's objects, repeatedly."""
    handler = import_module(job.module).lambda_handler

    def call():
        response = handler(event, Context())
        assert response["batchItemFailures"] == [], response

    call()
    return _repeat(job, call, len(event["Records"]))


def _repeat(job, call, records):
    calls, begun = 0, clocks()
    while calls < 3 or time.perf_counter() - begun[1] < job.seconds:
        call()
        calls += 1
    done = clocks()
    return {
        "calls": calls,
        "cpu_us_per_record": (done[0] - begun[0]) / calls / records * 1e6,
        "records_per_second": calls * records / (done[1] - begun[1]),
    }


def peak_mib():
    """Return the peak memory of this program. ru_maxrss would count that of the process that has started it, too."""
    try:
        with open("/proc/self/status", encoding="ascii") as file:  # noqa: PTH123 - as below
            return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(job):
    with open(job.event, encoding="ascii") as file:  # noqa: PTH123 - importing pathlib is a cost of the handler's own
        event = json.load(file)
    figures = {"cold": cold, "encode": encode, "deliver": deliver}[job.question](job, event)
    peak = peak_mib()
    print("\n" + json.dumps({**figures, "peak_mib": peak}))


if __name__ == "__main__":
    main(SimpleNamespace(**json.loads(sys.argv[1])))
