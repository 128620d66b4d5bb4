"""truckstream/data/README.md: its programs run, and its documents are accepted."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import boto3
import obstore.store
import pytest

from tests.data.compaction.support import fill
from truckstream.data.compaction.originals import TAG

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "truckstream" / "data" / "README.md").read_text(encoding="utf-8")
PROGRAMS = [block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "asyncio.run" in block]
COMPACTION = [block for block in PROGRAMS if "compact" in block]


@pytest.mark.parametrize("block", COMPACTION, ids=range(len(COMPACTION)))
async def test_a_program_about_compactions_runs(block, tmp_path):
    (tmp_path / "truckstream-data").mkdir()
    await fill(obstore.store.LocalStore(tmp_path / "truckstream-data"))
    done = subprocess.run(  # noqa: ASYNC221 - the only thing that runs
        [sys.executable, "-W", "error", "-c", block.replace("timedelta(days=1)", "timedelta(days=10_000)")],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "2025-01-15 14:00:00+00:00 created 4 12" in done.stdout or "sensor_data/batch_" in done.stdout


@pytest.mark.usefixtures("fake_credentials")
def test_the_lifecycle_rule_is_accepted_and_has_the_tag(moto_url):
    [document] = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL) if "Rules" in block]
    s3 = boto3.client("s3", region_name="us-east-1", endpoint_url=moto_url)
    s3.create_bucket(Bucket="lifecycle")
    s3.put_bucket_lifecycle_configuration(Bucket="lifecycle", LifecycleConfiguration=document)
    [rule] = s3.get_bucket_lifecycle_configuration(Bucket="lifecycle")["Rules"]
    assert rule["Filter"]["And"]["Tags"] == [TAG]
    s3.delete_bucket(Bucket="lifecycle")
