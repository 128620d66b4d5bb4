"""The demo's handle of the process that stands in for AWS."""

import asyncio
from types import SimpleNamespace

import msgspec
import pytest

from truckstream.demo import backend as module
from truckstream.demo.backend import Backend, BackendError, Status


def speaking(tmp_path, *messages):
    """A process that has said this."""
    log = tmp_path / "demo.log"
    log.write_text("No space left on device\n")
    stdout = asyncio.StreamReader()
    for message in messages:
        stdout.feed_data(msgspec.json.encode(message) + b"\n")
    return Backend(SimpleNamespace(stdout=stdout, stdin=SimpleNamespace(write=lambda _: None)), log)


async def test_a_function_that_stores_nothing_any_more_is_told_with_the_end_of_its_log(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "STALLED_SECONDS", 0.0)
    backend = speaking(tmp_path, Status(records=5))
    backend.drain()
    with pytest.raises(BackendError, match=r"no record could be stored for 0 s(.|\n)*No space left on device"):
        await backend.watch()


async def test_one_that_goes_on_is_waited_for(tmp_path):
    backend = speaking(tmp_path, Status(records=5), Status(records=5), Status(records=9, drained=True))
    backend.drain()
    await backend.watch()
    assert backend.status.records == 9
