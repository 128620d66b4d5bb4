"""The function handles a full event of any content within 256 MB, in every format.

The handler runs in its own process and stores to an S3 stub in this one. It is called twice, so that memory kept by the
first call counts. The peak is VmHWM, because the ru_maxrss of a child starts at the value of its parent.
"""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.batcher.s3_stub import S3Stub
from tests.batcher.support import aggregate, record, truck

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are read from Linux's /proc")

#: The largest event that Lambda delivers: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
EVENT = 6 * 1024 * 1024

FUNCTION = 256 * 1000 * 1000

CHILD = """
import json, pathlib, sys
from lambda_entry.handler import lambda_handler

event = json.load(sys.stdin.buffer)
responses = [lambda_handler(event, None) for _ in range(2)]
(peak,) = [line for line in pathlib.Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
print(json.dumps({"responses": responses, "peak": int(peak.split()[1]) * 1024}))
"""

RECORDS = {
    "trucks": truck,
    "rejected": lambda n: truck(n, speed=200.0),
    "zeros": lambda _: bytes(1 << 20),
    "aggregates": lambda n: aggregate(*(truck(90 * n + each) for each in range(90))),
}

FORMATS = {
    "ndjson": {},
    "json": {"FORMAT": "json"},
    "gzip": {"COMPRESSION": "gzip"},
    "zstd": {"COMPRESSION": "zstd"},
    "parquet": {"FORMAT": "parquet"},
}


@functools.cache
def full_event(kind):
    records, size = [], len('{"Records":[]}')
    while True:
        encoded = json.dumps(record(RECORDS[kind](len(records)), len(records)), separators=(",", ":"))
        size += len(encoded) + 1
        if size > EVENT:
            return f'{{"Records":[{",".join(records)}]}}'.encode()
        records.append(encoded)


#: A plain run takes the records of trucks in every format, and every kind of record as lines of JSON.
CASES = [
    pytest.param(kind, form, marks=() if kind == "trucks" or form == "ndjson" else pytest.mark.slow)
    for form in FORMATS
    for kind in RECORDS
]


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("kind", "form"), CASES)
def test_a_full_event_fits_the_smallest_function(kind, form):
    s3 = S3Stub()
    with s3.running() as url:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "BUCKET_NAME": "trucks",
            "AWS_ENDPOINT_URL_S3": url,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "NO_PROXY": "127.0.0.1",
            **FORMATS[form],
        }
        done = subprocess.run(
            [sys.executable, "-c", CHILD],
            cwd=Path(__file__).parents[2],
            env=environment,
            input=full_event(kind),
            capture_output=True,
            timeout=100,
            check=False,
        )
    assert done.returncode == 0, done.stderr.decode()
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["responses"] == [{"batchItemFailures": []}] * 2
    assert s3.objects
    assert report["peak"] <= FUNCTION
