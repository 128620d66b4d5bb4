"""Following the process that runs the local AWS side of the demo."""

import asyncio
from types import SimpleNamespace

import msgspec
import pytest

from truckstream.demo.local_aws import process as module
from truckstream.demo.local_aws.messages import FunctionProgress
from truckstream.demo.local_aws.process import LocalAws, LocalAwsError


def local_aws_that_printed(tmp_path, *messages):
    log = tmp_path / "demo.log"
    log.write_text("No space left on device\n")
    stdout = asyncio.StreamReader()
    for message in messages:
        stdout.feed_data(msgspec.json.encode(message) + b"\n")
    return LocalAws(SimpleNamespace(stdout=stdout, stdin=SimpleNamespace(write=lambda _: None)), log)


async def test_a_function_that_stops_storing_records_raises_an_error_with_the_end_of_its_log(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "STALLED_SECONDS", 0.0)
    local_aws = local_aws_that_printed(tmp_path, FunctionProgress(records=5))
    local_aws.drain()
    with pytest.raises(LocalAwsError, match=r"no record could be stored for 0 s(.|\n)*No space left on device"):
        await local_aws.follow_progress()


async def test_a_function_that_still_stores_records_is_waited_for(tmp_path):
    messages = [FunctionProgress(records=5), FunctionProgress(records=5), FunctionProgress(records=9, drained=True)]
    local_aws = local_aws_that_printed(tmp_path, *messages)
    local_aws.drain()
    await local_aws.follow_progress()
    assert local_aws.progress.records == 9
