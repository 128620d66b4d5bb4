"""`truckstream worker` reads its settings as the function does, stores, answers probes, and stops on signals.

The consumer is a model in memory. It stops the process as a container's runtime does, with SIGTERM.
"""

import asyncio
import json
import os
import signal
import socket
from random import Random

import aiohttp
import pytest

from tests.batcher.support import ARN
from tests.commands.support import run
from tests.worker.model_consumer import ModelConsumer
from tests.worker.support import many
from truckstream.commands.app import app
from truckstream.commands.worker import worker
from truckstream.consumer.tables.sqlite_table import SqliteTable
from truckstream.errors import ConfigurationError
from truckstream.worker import worker as worker_module


class StoppingConsumer(ModelConsumer):
    """Sends signals to its own process when it has passed everything on."""

    def __init__(self, *, signals=1, visit=None):
        super().__init__({"shardId-000000000000": many(10)})
        self.signals = signals
        self.visit = visit

    async def run_processors(self, factory):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(super().run_processors(factory))
            if self.visit:
                await self.visit()
            for _ in range(self.signals):
                os.kill(os.getpid(), signal.SIGTERM)
                await asyncio.sleep(0.2)


@pytest.fixture
def use(monkeypatch, tmp_path):
    """Give the command a consumer, and return the options that it gets."""
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "BUCKET_NAME", "STORE_URL", "STREAM_NAME"):
        monkeypatch.delenv(name, raising=False)
    options = {}

    def install(consumer):
        def make(stream, **given):
            options.update(given, stream=stream)
            return consumer

        monkeypatch.setattr(worker_module, "_make_consumer", make)
        return options

    return install


def call(*words):
    return app(["worker", *words], result_action="return_value")


def stored_numbers(folder):
    files = folder.glob("lake/sensor_data/*.json")
    return sorted(json.loads(line)["n"] for file in files for line in file.read_text().splitlines())


def test_it_stores_and_hands_over_on_sigterm(use, monkeypatch, tmp_path, capsys):
    options = use(StoppingConsumer())
    for name, value in {
        "STREAM_NAME": ARN,
        "STORE_URL": f"{tmp_path.as_uri()}/lake",
        "SCHEMA": "none",
        "BATCH_SIZE": "4",
        "APPLICATION": "from-environment",
        "LEASE_TABLE": "sqlite:leases.sqlite",
        "LOG_LEVEL": "DEBUG",
        "GRACE": "20",
    }.items():
        monkeypatch.setenv(name, value)
    assert call("--start", "LATEST", "--region", "eu-west-1") == 0
    assert stored_numbers(tmp_path) == list(range(10))
    assert len(list(tmp_path.glob("lake/sensor_data/*.json"))) == 3
    assert isinstance(options.pop("leases"), SqliteTable)
    assert isinstance(options.pop("random"), Random)
    assert options == {
        "stream": ARN,
        "application": "from-environment",
        "start": "LATEST",
        "hand_over_timeout": 18.0,
        "region_name": "eu-west-1",
        "endpoint_url": None,
    }
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert any("is stored up to" in line["message"] for line in lines)


def test_flags_override_the_environment(use, monkeypatch):
    consumer = StoppingConsumer()
    use(consumer)
    monkeypatch.setenv("STORE_URL", "file:///nowhere")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    # The store of the flag's bucket cannot be reached; that of the variable would be another error.
    assert call("--stream", ARN, "--bucket", "acme-data", "--grace", "0.5", "--region", "us-east-1") == 1
    assert consumer.leases["shardId-000000000000"].pending is not None


def test_a_second_signal_cancels_it(use, monkeypatch):
    use(StoppingConsumer(signals=2))
    monkeypatch.setenv("STORE_URL", "s3://acme-data")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    assert call("--stream", ARN, "--region", "us-east-1") == 130


def test_it_answers_probes(use, monkeypatch, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    answers = {}

    async def visit():
        async with aiohttp.ClientSession() as session:
            for path in ("healthz", "readyz"):
                async with session.get(f"http://127.0.0.1:{port}/{path}") as response:
                    answers[path] = (response.status, (await response.json())["is_healthy"])

    use(StoppingConsumer(visit=visit))
    monkeypatch.setenv("STORE_URL", tmp_path.as_uri())
    monkeypatch.setenv("SCHEMA", "none")
    monkeypatch.setenv("HEALTH_PORT", str(port))
    assert call("--stream", ARN) == 0
    assert answers == {"healthz": (200, True), "readyz": (200, True)}


def test_without_a_store_it_says_what_to_set(use):
    use(StoppingConsumer())
    with pytest.raises(ConfigurationError, match="Pass --bucket, or set BUCKET_NAME or STORE_URL"):
        worker(stream=ARN)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"STORE_URL": "memory:///", "BATCH_SIZE": "auto"}, "batch_size is 'auto': must be a number"),
        ({"STORE_URL": "memory:///", "FORMAT": "xml"}, "FORMAT is 'xml'"),
        ({"STORE_URL": "memory:///", "MAX_WAIT": "0"}, "max_wait is 0.0: must be a number, at least 0.1"),
        ({"STORE_URL": "memory:///", "LEASE_TABLE": "redis:x"}, "lease_table is 'redis:x': must be dynamodb:NAME"),
        ({"BUCKET_NAME": "Not_A_Bucket"}, "bucket_name is 'Not_A_Bucket'"),
    ],
)
def test_a_wrong_setting_ends_with_status_2(environment, message, tmp_path):
    status, out, err = run("worker", "--stream", ARN, cwd=tmp_path, **environment)
    assert (status, out) == (2, "")
    assert message in err
