"""An OpenSearch node from Maven Central, in a process of its own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.external_clients.installation import JAVA_OPTIONS, or_skipped, tool
from tests.external_clients.lease_interchange.maven import Artifact, jars_with

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION = "2.19.3"
ARTIFACTS = (
    Artifact("org.opensearch", "opensearch", VERSION),
    Artifact("org.opensearch.plugin", "transport-netty4-client", VERSION),
    # OpenSearch declares its logging as optional.
    Artifact("org.apache.logging.log4j", "log4j-core", "2.21.0"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.external)
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="session")
def opensearch_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an empty OpenSearch without the security plugin."""
    with or_skipped("OpenSearch"):
        java, jars = tool("java"), jars_with(*ARTIFACTS)
    home = tmp_path_factory.mktemp("opensearch")
    program = str(Path(__file__).with_name("Node.java"))
    command = [java, *JAVA_OPTIONS, "-Xmx512m", "-cp", str(jars / "*"), program, str(home)]
    with (home / "log").open("w") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            # Java may print warnings before it.
            line = next((each for each in process.stdout if each.startswith("{")), None)
            assert line is not None, f"OpenSearch has ended: {(home / 'log').read_text()[-2_000:]}"
            yield f"http://{json.loads(line)['address']}"
        finally:
            process.stdin.close()
            process.wait(timeout=30)
            process.stdout.close()
