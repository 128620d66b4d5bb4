"""The function's process is killed at random moments: when the mapping has caught up, each record is stored once.

The handler is the deployed one and the kill is a SIGKILL. The local event source mapping repeats the batch that was in
flight, as a whole or with newer records added.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from random import Random

import boto3
import msgspec
import obstore.store
import pytest

from tests.batcher.support import truck
from truckstream.local import EventSourceMapping, LocalKinesis

pytestmark = [pytest.mark.usefixtures("fake_credentials"), pytest.mark.timeout(300)]

PROGRAM = Path(__file__).parent / "programs" / "function.py"

#: The number of records in the stream, in a call and in a group: a call makes 20 PUTs or more.
RECORDS, BATCH, GROUP = 3_000, 100, 5

#: The number of calls to kill. 30 calls succeed.
KILLS = 12


class MortalFunction:
    """Calls the function's process, starts it if there is none, and kills it during some calls.

    Args:
        environment: the environment of the process.
        random: decides when to kill it.
        kills: the number of calls to kill.
        longest: the process is killed within this many seconds after the start of a call.
    """

    def __init__(self, environment: dict[str, str], random: Random, kills: int, longest: float) -> None:
        self._environment = {**os.environ, **environment}
        self._random = random
        self._longest = longest
        self._process = None
        self.kills_left = kills
        self.calls = 0

    def __call__(self, event, _context):
        self.calls += 1
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, PROGRAM],
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            self._ask({"Records": []})  # returns when the process is warm
        with self._killer():
            response = self._ask(event)
        if response is None:
            self.kills_left -= 1
            self.close()
            raise ChildProcessError("the function's process was killed")
        return response

    def close(self):
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def _ask(self, event):
        """Return the process's response; None if it is killed first."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(event) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline() or "null")

    @contextlib.contextmanager
    def _killer(self):
        """Kill the process after a random time. A late kill hits the process that the next call finds."""
        if not self.kills_left:
            yield
            return
        timer = threading.Timer(self._random.uniform(0.0, self._longest), self._process.kill)
        timer.start()
        yield
        timer.cancel()
        timer.join()


@pytest.fixture(params=["directory", pytest.param("s3", marks=pytest.mark.slow)])
def store(request, tmp_path):
    """An obstore store, the environment of a function that uses it, and the usual duration of a call in seconds."""
    if request.param == "directory":
        return obstore.store.LocalStore(tmp_path), {"STORE_URL": tmp_path.as_uri()}, 0.02
    url = request.getfixturevalue("moto_url")
    bucket = f"killed-{Path(tmp_path).name}"[:60].replace("_", "-").lower()
    boto3.client("s3", endpoint_url=url, region_name="us-east-1").create_bucket(Bucket=bucket)
    options = {"endpoint": url, "region": "us-east-1", "client_options": {"allow_http": True}}
    environment = {"BUCKET_NAME": bucket, "AWS_ENDPOINT_URL_S3": url, "AWS_REGION": "us-east-1"}
    return obstore.store.S3Store(bucket, **options), environment, 0.1


def lines(store, prefix):
    for page in store.list(prefix=prefix):
        for meta in page:
            yield from bytes(store.get(meta["path"]).bytes()).splitlines()


async def test_each_record_is_stored_once_when_the_mapping_has_caught_up(store, seed):
    store, environment, seconds = store
    random = Random(seed)
    reports = [truck(n, truck_id=f"TRUCK_{n}") if random.random() < 0.95 else b"broken %d" % n for n in range(RECORDS)]
    function = MortalFunction(environment | {"BATCH_SIZE": str(GROUP)}, random, kills=KILLS, longest=seconds)
    async with LocalKinesis(shards=2, quotas=False) as kinesis:
        mapping = EventSourceMapping(
            kinesis, function, batch_size=BATCH, retry_base_in_seconds=0.0, tail="either", seed=seed
        )
        async with mapping:
            for start in range(0, RECORDS, 500):
                entries = [
                    {"Data": data, "PartitionKey": f"{number}"}
                    for number, data in enumerate(reports[start : start + 500], start)
                ]
                await kinesis.call("PutRecords", StreamName=kinesis.stream_name, Records=entries)
            await mapping.drain(timeout=200)
        assert mapping.stats.records == RECORDS
    function.close()
    assert function.kills_left < KILLS, f"none of {function.calls} calls was killed"
    assert Counter(lines(store, "sensor_data")) == Counter(data for data in reports if data.startswith(b"{"))
    rejected = Counter(msgspec.json.decode(line)["data"].encode() for line in lines(store, "rejected"))
    assert rejected == Counter(data for data in reports if not data.startswith(b"{"))
