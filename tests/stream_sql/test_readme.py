"""truckstream/stream_sql/README.md: its program and its commands run, and its options exist."""

import asyncio
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.support import AWS, environment_of
from tests.stream_sql.support import line
from truckstream.commands.app import app
from truckstream.local import LocalKinesis
from truckstream.producer import Producer

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "truckstream" / "stream_sql" / "README.md").read_text(encoding="utf-8")


async def test_the_program_prints_the_first_window(monkeypatch):
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)
    [program] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    async with LocalKinesis(shards=2) as kinesis:
        async with Producer(
            kinesis.stream_name, endpoint_url=kinesis.endpoint_url, region_name="us-east-1"
        ) as producer:
            for number, data in enumerate([line(1, engine_temp=90.0), *[line(1000)] * 8]):
                await producer.put(data, "ABCDEFGH"[number % 8])
        environment = {**kinesis.environment(), "PYTHONPATH": str(ROOT)}
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-W", "error", "-c", program],
            env=environment_of({**AWS, **environment}),
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("2025-01-15 08:00:00+00:00 [{'window_start': ")
    assert "'truck_id': 'A', 'mean': 90.0" in done.stdout


def test_the_command_is_accepted(capsys):
    [command] = [each for each in PAGE.splitlines() if each.startswith("truckstream sql ")]
    assert app([*shlex.split(command)[1:], "--dry-run"], result_action="return_value") == 0
    assert "mean DOUBLE" in capsys.readouterr().out


@pytest.mark.parametrize("option", sorted(set(re.findall(r"`(--[a-z-]+)", PAGE))))
def test_each_option_exists(option, capsys):
    app(["sql", "--help"], result_action="return_value")
    assert option in capsys.readouterr().out
