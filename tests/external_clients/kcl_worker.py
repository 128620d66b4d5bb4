"""A worker of the Kinesis Client Library for Java, started by its multi-language daemon.

The library waits a random time of up to 30 s before it creates its first leases.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tests.external_clients.installation import JAVA_OPTIONS, or_skipped, python_with, tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: The library's Python bindings. This build contains the jars; AWS's own build downloads them during installation.
KCLPY_EXT: Final = ("kclpy-ext==3.1.3.post4",)
#: How long to wait for records. A worker starts to read the children of the split shard after 20 to 50 s.
SECONDS: Final = 100


def java_with_sdk() -> list[str]:
    """Return the command that runs a Java program with the library and the AWS SDK on its class path."""
    tool("javac")  # `java` compiles a source file before it runs it
    (jars,) = python_with(*KCLPY_EXT).parents[1].glob("lib/python*/site-packages/amazon_kclpy/jars")
    return [tool("java"), *JAVA_OPTIONS, "-cp", f"{jars}/*"]


@dataclass(frozen=True, slots=True)
class Worker:
    """A running worker, and the file in which its record processors write down their calls."""

    stream: str
    facts_file: Path
    log: Path

    def facts(self) -> list[tuple[str, str, str]]:
        """Return the processors' calls in order: shard, kind of call, and for a record its data."""
        if not self.facts_file.exists():
            return []
        return [tuple(json.loads(line)) for line in self.facts_file.read_text().splitlines(keepends=True)]

    def wait_for(self, *records: str) -> None:
        """Wait until these records have been processed."""
        until = time.monotonic() + SECONDS
        while missing := {*records} - {value for _, what, value in self.facts() if what == "record"}:
            some = f"{len(missing)} of {len(records)} records are missing, such as {sorted(missing)[:5]}"
            assert time.monotonic() < until, f"{some}\n{self.facts()[-20:]}\n{self.log.read_text()[-3000:]}"
            time.sleep(0.2)


@contextlib.contextmanager
def working(server: Any, moto_url: str, stream: str, folder: Path) -> Iterator[Worker]:
    """Start a worker on `stream`; skip the test if the library cannot be installed."""
    with or_skipped("the Kinesis Client Library"):
        java, python = java_with_sdk(), python_with(*KCLPY_EXT)
    worker = Worker(stream, folder / "facts", folder / "log")
    properties = folder / "worker.properties"
    properties.write_text(
        f"""
        executableName = {python} {server.program("kcl_application.py")} {worker.facts_file}
        streamName = {worker.stream}
        applicationName = {worker.stream}
        AwsCredentialsProvider = DefaultCredentialsProvider
        processingLanguage = python
        initialPositionInStream = TRIM_HORIZON
        regionName = {server.region_name}
        failoverTimeMillis = 1000
        shardSyncIntervalMillis = 1000
        parentShardPollIntervalMillis = 500
        metricsLevel = NONE
        """
    )
    others = {"AWS_ENDPOINT_URL_DYNAMODB": moto_url, "AWS_ENDPOINT_URL_CLOUDWATCH": moto_url}
    with worker.log.open("wb") as log:
        daemon = subprocess.Popen(
            [*java, "software.amazon.kinesis.multilang.MultiLangDaemon", "--properties-file", str(properties)],
            env={**server.environment, **others},
            stdout=log,
            stderr=log,
        )
    try:
        yield worker
    finally:
        daemon.kill()  # a graceful shutdown takes half a minute
        daemon.wait()
