"""Ctrl-C ends the commands on stored objects at once, with a line and the status 130."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import time

import pytest

from tests.commands.support import AWS, start
from tests.data.compaction.support import fill
from truckstream.batcher.object_store.open_store import open_store
from truckstream.local.s3 import S3Fault

COMPACT = "truckstream: Interrupted. Files that were made remain, and the next run completes what was begun.\n"

COMMANDS = {
    "verify": (["verify", "s3://trucks"], "truckstream: Interrupted: nothing was proved.\n"),
    "query": (["query", "fleet-health", "--store", "s3://trucks"], "truckstream: Interrupted.\n"),
    "compact": (["compact", "s3://trucks"], COMPACT),
}


@contextlib.contextmanager
def waiting_for_s3(arguments, cwd):
    """Run a command until it has sent a request to an endpoint that never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        command = start(*arguments, "--endpoint-url", url, cwd=cwd, **AWS, NO_PROXY="127.0.0.1")
        connection, _ = server.accept()
        with command, connection:
            assert connection.recv(1)
            yield command
            command.kill()


@pytest.mark.parametrize("name", COMMANDS)
def test_it_ends_while_a_request_has_no_response(tmp_path, name):
    arguments, message = COMMANDS[name]
    with waiting_for_s3(arguments, tmp_path) as command:
        command.send_signal(signal.SIGINT)
        out, err = command.communicate(timeout=15)  # the request would have 20 s, and that of compact 300 s
    assert (command.returncode, out, err) == (130, "", message)


def test_a_replay_stops_after_what_was_begun_and_ends_at_the_second(tmp_path):
    with waiting_for_s3(["replay", "s3://trucks", "--json"], tmp_path) as command:
        command.send_signal(signal.SIGINT)
        line = command.stderr.readline()
        assert line == "truckstream: Stopping after what was begun. Ctrl-C again ends it at once.\n"
        command.send_signal(signal.SIGINT)
        out, err = command.communicate(timeout=15)
    assert (command.returncode, json.loads(out)["error"]["kind"]) == (130, "Interrupted")
    assert err == "truckstream: Interrupted. Nothing is lost or doubled: the next run goes on.\n"


@pytest.fixture
async def bucket(s3_store):
    """A bucket whose objects can be listed, and do not come when they are read."""
    where = {"region_name": s3_store.region_name, "endpoint_url": s3_store.endpoint_url}
    await fill(open_store(s3_store.url, prefix="", **where)._store._store, per_hour=2)
    s3_store.set_faults(S3Fault("stall", method="GET"))
    return s3_store


@pytest.mark.parametrize("name", ["query", "compact"])
def test_it_ends_while_it_reads_and_leaves_no_file(bucket, tmp_path, name):
    arguments = {"query": ["query", "FROM records", "--store", bucket.url], "compact": ["compact", bucket.url]}[name]
    settings = {**bucket.environment(), "NO_PROXY": "127.0.0.1", "TMPDIR": str(tmp_path)}
    with start(*arguments, cwd=tmp_path, **settings) as command:
        while not bucket.hits and command.poll() is None:
            time.sleep(0.05)
        files = [*tmp_path.iterdir()]
        command.send_signal(signal.SIGINT)
        out, err = command.communicate(timeout=15)
        command.kill()
    assert (command.returncode, out, err) == (130, "", COMMANDS[name][1])
    assert bool(files) == (name == "compact")
    assert [*tmp_path.iterdir()] == []
