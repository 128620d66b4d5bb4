"""The programs of the page run."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from truckstream.local import BlockingKinesis

PAGE = Path(__file__).parents[2] / "truckstream" / "blocking" / "README.md"
SCRIPT, WSGI = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize(
    ("program", "output", "records"),
    [(SCRIPT, "shardId-000000000000", 1_001), (WSGI, "202 Accepted\n[b'accepted\\n']", 1)],
    ids=["script", "wsgi"],
)
def test_a_program_runs(program, output, records):
    with BlockingKinesis(stream="truck-sensor-stream") as kinesis:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        environment = clean | kinesis.environment() | {"NO_PROXY": "127.0.0.1"}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stderr, done.stdout) == (0, "", output + "\n")
        assert len(kinesis.stored()) == records
