"""Consumers in processes of their own that share a faulty stream through a faulty lease table, while they join and die.

The oracle is `tests/chaos/consumers/oracle.py`. A failure names its seed: `pytest tests/chaos/test_consumers.py
--chaos-seeds 7` takes the same steps again. With `--log-cli-level=info` the tests log what happened.
"""

import logging
import random

import pytest

from tests.chaos.consumers.history import ConsumerHistory
from tests.chaos.consumers.lossy_dynamodb import FATES, LossyDynamoDb
from tests.cloud.conftest import ministack_program, ministack_url  # noqa: F401 - fixtures
from truckstream.local import Fault, FaultPlan, LocalKinesis

_logger = logging.getLogger(__name__)

pytestmark = [pytest.mark.usefixtures("fake_credentials"), pytest.mark.timeout(600)]


def on_reading(kind, **values):
    operations = ("GetRecords", "GetShardIterator", "ListShards", "DescribeStreamSummary")
    return Fault(kind, operations=operations, **values)


#: They strike three calls in ten.
FAULTS = [
    Fault("throttle", operations=("GetRecords",), rate=0.10),
    on_reading("error-before", rate=0.05),
    on_reading("error-after", rate=0.05, status=503),
    on_reading("reset-before", rate=0.02),
    on_reading("reset-request", rate=0.02),
    on_reading("reset-after", rate=0.03),
    on_reading("reset-answer", rate=0.03),
    on_reading("latency", rate=0.05, seconds=0.05, jitter=0.3),
    on_reading("stall", rate=0.002),
    on_reading("stall-after", rate=0.002),
]

#: What happens to the workers and the stream in a long history, each as often as it is named.
STEPS = [
    *("nothing", "join", "join", "kill", "kill", "freeze", "freeze", "leave"),
    *("split", "split", "merge", "merge"),
]
LENGTH = 20


async def test_three_workers_in_trouble_process_each_record_in_order_and_none_after_its_checkpoint(seed, tmp_path):
    faults = FaultPlan(*FAULTS, seed=seed)
    async with LocalKinesis(shards=4, faults=faults, own_process=True) as kinesis:
        history = ConsumerHistory(kinesis, tmp_path, seed, lease_duration=1.5, most_workers=3, most_shards=8, rate=100)
        await history.start(workers=2)
        steps = ["freeze", "split", "join", "merge", "kill", "split", "leave"]
        counts = await history.run(steps, pauses=(0.3, 0.6, 1.0))
    _logger.info("seed %s: %s", seed, dict(counts))
    assert set(counts) >= {"kills", "freezes", "leaves", "splits", "merges", "faults"}


async def run_long_history(seed, folder, **options):
    faults = FaultPlan(*FAULTS, seed=seed)
    async with LocalKinesis(shards=32, faults=faults, own_process=True) as kinesis:
        history = ConsumerHistory(kinesis, folder, seed, least_shards=24, **options)
        await history.start(workers=4)
        steps = random.Random(f"history/{seed}").choices(STEPS, k=LENGTH)
        return await history.run(steps, pauses=(0.2, 0.5, 1.0, 2.0))


@pytest.mark.slow
async def test_eight_workers_in_trouble_on_a_file(seed, tmp_path):
    counts = await run_long_history(seed, tmp_path)
    _logger.info("seed %s: %s", seed, dict(counts))


@pytest.mark.slow
async def test_eight_workers_in_trouble_on_dynamodb(seed, tmp_path, ministack_url):  # noqa: F811 - the fixture
    dynamodb = LossyDynamoDb(ministack_url, seed)
    async with dynamodb.serve() as url:
        counts = await run_long_history(seed, tmp_path, dynamodb=url)
    _logger.info("seed %s: %s, DynamoDB %s", seed, dict(counts), dict(dynamodb.fates))
    assert set(dynamodb.fates) >= set(FATES), "the history is too short for its faults"
