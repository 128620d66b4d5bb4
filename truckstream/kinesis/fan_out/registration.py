"""Register a consumer with enhanced fan-out, or find the one that has the name, and wait until it is ACTIVE.

"If there is an existing consumer with the name, RegisterStreamConsumer fails with ResourceInUseException": after a lost
response it is our own, and otherwise that of another worker of the same application. The same error means that the
stream, or a consumer of the name that is being deleted, is not ready. So registration asks DescribeStreamConsumer what
there is, until the consumer is ACTIVE or the patience has ended.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec

from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.kinesis.reading.requests import parse_consumer_description, parse_registered_consumer

if TYPE_CHECKING:
    from truckstream.kinesis.reading.requests import ConsumerDescription
    from truckstream.kinesis.signed_calls import SignedCalls

__all__ = ["register_consumer"]

#: Seconds between two looks, and until registration fails. A consumer takes some seconds to become ACTIVE; both calls
#: have a quota for each stream, of 5 and 20 calls a second, that all workers of an application share.
LOOK_SECONDS: Final = 0.5
PATIENCE_SECONDS: Final = 60.0

_LIMIT_HINT: Final = (
    "A stream has at most 20 registered consumers (50 with On-demand Advantage), of which 5 may be in creation. "
    "Deregister one that is not used (aws kinesis list-stream-consumers, deregister-stream-consumer), or read without "
    "enhanced fan-out."
)


async def register_consumer(calls: SignedCalls, stream_arn: str, name: str) -> str:
    """Return the ARN of the consumer `name` of a stream once it is ACTIVE; register it if there is none.

    Raises:
        RequestFailedError: a call has failed, or the consumer is not ACTIVE after `PATIENCE_SECONDS`.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE_SECONDS
    names = {"StreamARN": stream_arn, "ConsumerName": name}
    reason = RequestFailedError(FailureKind.NOT_SENT, "CREATING", f"the consumer {name} is not ACTIVE yet")
    while loop.time() < deadline:
        consumer = await _describe(calls, names)
        if consumer is None:
            try:
                consumer = await _register(calls, names)
            except RequestFailedError as error:
                if error.code != "ResourceInUseException":
                    raise
                reason = error
        if consumer is not None and consumer.status == "ACTIVE":
            return consumer.arn
        await asyncio.sleep(LOOK_SECONDS)
    raise reason


async def _describe(calls: SignedCalls, names: dict[str, str]) -> ConsumerDescription | None:
    """Return the consumer, or None if there is none."""
    try:
        response = await calls.call("DescribeStreamConsumer", names, msgspec.json.encode(names))
    except RequestFailedError as error:
        if error.code != "ResourceNotFoundException":
            raise
        return None
    return parse_consumer_description(response)


async def _register(calls: SignedCalls, names: dict[str, str]) -> ConsumerDescription:
    try:
        response = await calls.call("RegisterStreamConsumer", names, msgspec.json.encode(names))
    except RequestFailedError as error:
        if error.code != "LimitExceededException":
            raise
        raise RequestFailedError(error.kind, error.code, f"{error.message.rstrip('.')}. {_LIMIT_HINT}") from error
    return parse_registered_consumer(response)
