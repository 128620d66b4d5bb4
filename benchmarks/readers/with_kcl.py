"""The Kinesis Client Library's daemon for Python: a Java process, and a Python process for each shard.

It polls, as often and for as many records as the others, and keeps its leases in ministack's DynamoDB. The CPU time and
the memory are those of all its processes; the memory counts pages twice that they share. It is installed and started
with the same packages as in the tests, which needs Java.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness import WARM_UP, Job, figures_of
from support.ministack import running_ministack

from tests.external_clients.installation import CannotInstallError, python_with
from tests.external_clients.kcl_worker import KCLPY_EXT, java_with_sdk

#: The library waits up to 30 s before it takes its first leases, and takes those of many shards one by one.
SECONDS = 240
APPLICATION = Path(__file__).with_name("kcl_application.py")


def properties(job, python, counts):
    return f"""
executableName = {python} {APPLICATION} {counts}
streamName = {job.stream}
applicationName = benchmark
AwsCredentialsProvider = DefaultCredentialsProvider
processingLanguage = python
initialPositionInStream = TRIM_HORIZON
regionName = us-east-1
retrievalMode = POLLING
maxRecords = {job.limit}
idleTimeBetweenReadsInMillis = 250
shardSyncIntervalMillis = 5000
metricsLevel = NONE
"""


@contextlib.contextmanager
def daemon(job, dynamodb_url, folder):
    """Run the daemon; yield its process and the file in which its application counts records."""
    java, python = java_with_sdk(), python_with(*KCLPY_EXT)
    counts = folder / "counts"
    counts.touch()
    file = folder / "worker.properties"
    file.write_text(properties(job, python, counts))
    endpoints = {"KINESIS": job.endpoint_url, "DYNAMODB": dynamodb_url, "CLOUDWATCH": dynamodb_url}
    urls = {f"AWS_ENDPOINT_URL_{service}": url for service, url in endpoints.items()}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*java, "software.amazon.kinesis.multilang.MultiLangDaemon", "--properties-file", str(file)],
            env={**os.environ, **urls, "AWS_REGION": "us-east-1"},
            stdout=log,
            stderr=log,
        )
    try:
        yield process, counts
    finally:
        process.kill()
        process.wait()


def processes_of(daemon_pid):
    """Return the process ids of the daemon and its children."""
    children = Path(f"/proc/{daemon_pid}/task").glob("*/children")
    return [daemon_pid, *(int(pid) for file in children for pid in file.read_text().split())]


def cpu_seconds(daemon_pid):
    """Return the CPU time of the daemon and its children."""
    ticks = 0
    for pid in processes_of(daemon_pid):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def peak_mib(daemon_pid):
    """Return the sum of the peaks of the daemon's and its children's resident memory."""
    status = [Path(f"/proc/{pid}/status").read_text() for pid in processes_of(daemon_pid)]
    return sum(int(re.search(r"VmHWM:\s+(\d+)", text)[1]) for text in status) / 1024


def measure(job, process, counts):
    """Return the figures of the records between the warm-up and the end."""

    def wait_for(records):
        until = time.monotonic() + SECONDS
        while (count := sum(map(int, counts.read_text().split("\n")[:-1]))) < records:
            if time.monotonic() > until or process.poll() is not None:
                sys.exit(f"the daemon has read {count} of {records} records within {SECONDS} s")
            time.sleep(0.05)
        return count, cpu_seconds(process.pid), time.perf_counter()

    began, cpu, wall = wait_for(int(job.records * WARM_UP))
    ended, cpu_after, wall_after = wait_for(job.records)
    return figures_of(ended - began, cpu_after - cpu, wall_after - wall, peak_mib(process.pid))


def main():
    job = Job(**json.loads(sys.argv[1]))
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            running_ministack() as url,
            daemon(job, url, Path(folder)) as (process, counts),
        ):
            found = measure(job, process, counts)
    except CannotInstallError as error:
        sys.exit(f"skipped: the Kinesis Client Library cannot be run: {error}")
    print(json.dumps({**found, "versions": dict([KCLPY_EXT[0].split("==")])}))


if __name__ == "__main__":
    main()
