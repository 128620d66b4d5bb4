"""The function handles a full event of any content within 256 MB beside the interpreter, in every format.

The handler runs in its own process and stores to an S3 stub in this one. It is called twice, so that memory kept by the
first call counts, but only once with events that take ten seconds. The peak is VmHWM, because the ru_maxrss of a child
starts at the value of its parent.
"""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.batcher.s3_stub import S3Stub
from tests.batcher.support import aggregate, envelope, record, truck
from truckstream.fleet import Fleet

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are read from Linux's /proc")

#: The largest event that Lambda delivers: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
EVENT = 6 * 1024 * 1024

#: Of memory that a call may take. The interpreter with the function's modules takes 29 MiB more.
CALL = 256 * 1000 * 1000

CHILD = """
import json, pathlib, sys
from lambda_entry.handler import lambda_handler

def peak():
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))

before = peak()
event = json.load(sys.stdin.buffer)
responses = [lambda_handler(event, None) for _ in range(int(sys.argv[1]))]
print(json.dumps({"responses": responses, "before": before, "peak": peak()}))
"""

RECORDS = {
    "trucks": truck,
    "rejected": lambda n: truck(n, speed=200.0),
    "zeros": lambda _: bytes(1 << 20),
    "aggregates": lambda n: aggregate(*(truck(90 * n + each) for each in range(90))),
    # Hundreds of thousands of user records of a few bytes, in aggregates of 1 MiB.
    "empty": lambda _: aggregate(*[(b"", "7")] * 150_000),
    "tiny": lambda _: aggregate(*[(b"{}", "7")] * 120_000),
    # 80,000 truck records, 40 MB of them, as a producer seals them.
    "envelopes": lambda n: envelope(*(truck_of_fleet(18_000 * n + each) for each in range(18_000))),
    # The most bytes, and the most records, that one envelope unfolds to; an event has a few of them.
    "zeros in envelopes": lambda n: largest_envelope() if n < 3 else bytes(1 << 20),
    "empty in envelopes": lambda n: fullest_envelope() if n < 3 else bytes(1 << 20),
    # Values that take 24 times their bytes when they are decoded and quoted.
    "nested": lambda _: aggregate(*[(b'{"truck_id":[%b{}]}' % (b"{}," * 20), "7")] * 1_000),
}


@functools.cache
def fleet():
    return [report.data for report in Fleet(5000, rate=5000, seed=1).take(100_000)]


def truck_of_fleet(n):
    return fleet()[n % 100_000]


@functools.cache
def largest_envelope():
    return envelope(*[(bytes(1 << 20), "7")] * 15)


@functools.cache
def fullest_envelope():
    return envelope(*[(b"", "7")] * 65_536)


FORMATS = {
    "ndjson": {},
    "json": {"FORMAT": "json"},
    "gzip": {"COMPRESSION": "gzip"},
    "zstd": {"COMPRESSION": "zstd"},
    "parquet": {"FORMAT": "parquet"},
}


@functools.cache
def full_event(kind):
    if kind == "one aggregate":
        return json.dumps({"Records": [record(aggregate(*[(b"", "7")] * 780_000))]}, separators=(",", ":")).encode()
    records, size = [], len('{"Records":[]}')
    while True:
        encoded = json.dumps(record(RECORDS[kind](len(records)), len(records)), separators=(",", ":"))
        size += len(encoded) + 1
        if size > EVENT:
            return f'{{"Records":[{",".join(records)}]}}'.encode()
        records.append(encoded)


#: The kinds with hundreds of thousands of records or values. They are tried in the two formats that encode most
#: differently.
MANY = {"empty", "tiny", "one aggregate", "envelopes", "zeros in envelopes", "empty in envelopes", "nested"}

#: The kinds that a plain run takes as lines of JSON, besides those of trucks, which it takes in every format.
QUICK = {"rejected", "zeros", "aggregates", "envelopes"}

CASES = [
    pytest.param(kind, form, marks=() if kind == "trucks" or (form == "ndjson" and kind in QUICK) else pytest.mark.slow)
    for form in FORMATS
    for kind in (*RECORDS, "one aggregate")
    if kind not in MANY or form in {"ndjson", "parquet"}
]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("kind", "form"), CASES)
def test_a_full_event_fits_the_memory(kind, form):
    s3 = S3Stub()
    calls = 1 if kind in MANY else 2
    with s3.running() as url:
        environment = {
            # coverage would take memory and three times as long
            **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "COVERAGE_"))},
            "BUCKET_NAME": "trucks",
            "AWS_ENDPOINT_URL_S3": url,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "NO_PROXY": "127.0.0.1",
            **FORMATS[form],
        }
        done = subprocess.run(
            [sys.executable, "-c", CHILD, str(calls)],
            cwd=Path(__file__).parents[2],
            env=environment,
            input=full_event(kind),
            capture_output=True,
            timeout=580,
            check=False,
        )
    assert done.returncode == 0, done.stderr.decode()
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["responses"] == [{"batchItemFailures": []}] * calls
    assert s3.objects
    assert report["peak"] - report["before"] <= CALL
