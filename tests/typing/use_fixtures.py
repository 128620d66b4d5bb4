"""The pytest plugin's fixtures, annotated as users annotate them."""

from collections.abc import Callable
from typing import Any, assert_type

import pytest

from truckstream.local import BlockingKinesis, BlockingMapping, KinesisStats, MappingStats, StoredRecord
from truckstream.pytest_plugin import KinesisFaults


@pytest.mark.kinesis(shards=4, quotas=False)
def test_it(
    kinesis: BlockingKinesis,
    kinesis_faults: KinesisFaults,
    event_source: Callable[..., BlockingMapping],
) -> None:
    kinesis_faults.add("throttle", rate=0.3)
    assert_type(kinesis_faults.hits, dict[str, int])
    kinesis_faults.clear()
    assert_type(kinesis.stored(), list[StoredRecord])
    assert_type(kinesis.stats(), KinesisStats)
    assert_type(kinesis.call("ListStreams"), dict[str, Any])
    mapping = event_source(print, batch_size=100)
    mapping.drain()
    assert_type(mapping.stats, MappingStats)


def wrong_uses(kinesis: BlockingKinesis, kinesis_faults: KinesisFaults) -> None:
    kinesis_faults.add(0.3)  # type: ignore[arg-type]
    kinesis.advance("an hour")  # type: ignore[arg-type]
    kinesis.event_source("handler")  # type: ignore[arg-type]
    kinesis.inject("throttle")  # type: ignore[arg-type]
