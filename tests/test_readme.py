"""README.md is true: its code blocks run, and its commands, settings and links exist."""

import asyncio
import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.batcher.support import record
from truckstream.config import SETTINGS
from truckstream.local import LocalKinesis

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
PROGRAMS = [block for block in BLOCKS if "asyncio.run" in block]
[HANDLER] = [block for block in BLOCKS if block not in PROGRAMS]


@pytest.mark.parametrize("block", PROGRAMS, ids=lambda block: re.search(r"import (\w+)[\w, ]*\n\n\nasync", block)[1])
async def test_a_code_block_runs(block, tmp_path):
    """Run it in a process whose AWS endpoint is the local Kinesis."""
    async with LocalKinesis(stream="truck-sensor-stream", own_process=True) as kinesis:
        environment = os.environ | {
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_ENDPOINT_URL_KINESIS": kinesis.endpoint_url,
            "NO_PROXY": "127.0.0.1",
            "XDG_STATE_HOME": str(tmp_path),
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-c", block),
            env=environment,
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    assert b"shardId-" in out or b"sensor_data/batch_" in out


def test_the_handler_stores_an_event(tmp_path):
    code = f"{HANDLER}\nimport json, sys\nprint(lambda_handler(json.load(sys.stdin), None))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=os.environ | {"STORE_URL": tmp_path.as_uri()},
        input=json.dumps({"Records": [record(b'{"sensor":7}', 0)]}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "{'batchItemFailures': []}\n", done.stderr
    [stored] = tmp_path.glob("sensor_data/batch_*.json.gz")
    assert gzip.decompress(stored.read_bytes()) == b'{"sensor":7}\n'
    assert len(HANDLER.strip().splitlines()) == 5


def test_the_two_commands_are_at_the_top():
    commands = README.split("```")[1].split("\n")
    assert [line for line in commands if line] == [
        "pip install uv && uv run truckstream demo",
        "pip install uv && uv run pytest",
    ]


def test_the_table_of_settings_agrees_with_the_code():
    for setting in SETTINGS:
        variables = ", ".join(f"`{variable}`" for variable in setting.variables)
        assert f"| {setting.name} | {variables} | `{setting.flag}` |" in README


def test_every_file_that_the_pages_name_exists():
    for page in (ROOT / "README.md", ROOT / "truckstream" / "README.md", ROOT / "truckstream" / "cloud" / "README.md"):
        text = page.read_text(encoding="utf-8")
        for link in re.findall(r"\]\((?!http)([^)#]+)\)", text):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"


CONTRIBUTORS = (ROOT / "truckstream" / "README.md").read_text(encoding="utf-8")
#: The page's sections by heading, such as "`producer/`".
SECTIONS = dict(re.findall(r"^### (.*?)$\n(.*?)(?=^##|\Z)", CONTRIBUTORS, re.MULTILINE | re.DOTALL))


def test_every_folder_of_the_library_has_a_heading():
    folders = {path.name for path in (ROOT / "truckstream").iterdir() if (path / "__init__.py").exists()}
    assert {name for heading in SECTIONS for name in re.findall(r"`(\w+)/`", heading)} == folders


def test_every_path_in_the_contributors_page_exists():
    """A path is relative to the repository, to truckstream/, or to the folder that its section is about."""
    checked = 0
    for heading, text in [("", CONTRIBUTORS.split("## Where to find what")[0]), *SECTIONS.items()]:
        folders = re.findall(r"`([\w./]+)/`", heading)
        for name in re.findall(r"`([\w./]+(?:\.py|\.yaml|/))`", text):
            places = [ROOT, ROOT / "truckstream", *(ROOT / "truckstream" / folder for folder in folders)]
            # Sub-folders of a section are named without their parents.
            places += [child for place in places[2:] for child in place.iterdir() if child.is_dir()]
            assert any((place / name).exists() for place in places), f"{heading}: {name}"
            checked += 1
    assert checked > 40  # the page names files, and the pattern still finds them
