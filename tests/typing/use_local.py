"""LocalKinesis, faults and EventSourceMapping, as users' own tests have them."""

from typing import Any, assert_type

from truckstream.local import (
    BlockingKinesis,
    Credentials,
    EventSourceMapping,
    Fault,
    FaultPlan,
    KinesisStats,
    LambdaContext,
    LocalKinesis,
    LocalShardStats,
    MappingStats,
    StoredRecord,
    VirtualClock,
)


async def serve() -> None:
    faults = FaultPlan(Fault("throttle", rate=0.3), Fault.parse("latency:seconds=0.1"), seed=1)
    async with LocalKinesis("trucks", 2, quotas=0.5, faults=faults, credentials=[Credentials()], tls=True) as kinesis:
        assert_type(kinesis, LocalKinesis)
        assert_type(kinesis.endpoint_url, str)
        assert_type(kinesis.environment(), dict[str, str])
        stats = await kinesis.stats()
        assert_type(stats, KinesisStats)
        assert_type(stats.shards, dict[str, LocalShardStats])
        assert_type(stats.faults, dict[str, int])
        async for record in kinesis.stored():
            assert_type(record, StoredRecord)
            assert_type(record.data, bytes)


def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    assert_type(context.get_remaining_time_in_millis(), int)
    return {"batchItemFailures": event["Records"][:0]}


async def handle_later(event: dict[str, Any], context: LambdaContext) -> None:
    """A handler may be a coroutine function."""


async def invoke(kinesis: LocalKinesis) -> None:
    async with EventSourceMapping(kinesis, handle, batch_size=100, parallelization_factor=2) as mapping:
        assert_type(mapping, EventSourceMapping)
        await mapping.drain(timeout=5.0)
        assert_type(mapping.stats, MappingStats)
    async with EventSourceMapping(kinesis, handle_later):
        pass


def use_a_virtual_clock() -> None:
    with BlockingKinesis(clock=VirtualClock()) as kinesis:
        kinesis.advance(3_600)
        assert_type(kinesis.now(), float)


async def wrong_uses(kinesis: LocalKinesis, record: StoredRecord) -> None:
    LocalKinesis(shards="two")  # type: ignore[arg-type]
    LocalKinesis("trucks", 2, False)  # type: ignore[call-arg]
    LocalKinesis(faults=[Fault("throttle")])  # type: ignore[arg-type]
    LocalKinesis(clock=12.5)  # type: ignore[arg-type]
    FaultPlan("throttle")  # type: ignore[arg-type]
    with kinesis:  # type: ignore[attr-defined]
        pass
    EventSourceMapping(kinesis)  # type: ignore[call-arg]
    EventSourceMapping(kinesis, "lambda_entry.handler")  # type: ignore[arg-type]
    EventSourceMapping(kinesis, handle, batch_sizes=100)  # type: ignore[call-arg]
    record.data = b""  # type: ignore[misc]
    _text: str = record.data  # type: ignore[assignment]
