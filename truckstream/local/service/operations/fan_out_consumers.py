"""The operations on consumers of enhanced fan-out: register, describe, list and deregister.

Consumers read by SubscribeToShard, in `subscribe_to_shard`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from truckstream.local.service.errors import (
    consumer_exists,
    consumer_not_found,
    invalid,
    limit_exceeded,
    stream_not_found,
)
from truckstream.local.service.identifiers.iterator_token import PageToken, open_page, seal
from truckstream.local.service.operations.settings.tags import check_tags
from truckstream.local.service.quotas import limits
from truckstream.local.service.state.consumer import FanOutConsumer

if TYPE_CHECKING:
    from truckstream.local.service.messages import Request, Response
    from truckstream.local.service.state.account import KinesisAccount
    from truckstream.local.service.state.stream import Stream

__all__ = [
    "deregister_stream_consumer",
    "describe_stream_consumer",
    "list_stream_consumers",
    "register_stream_consumer",
]


def register_stream_consumer(account: KinesisAccount, request: Request, now: float) -> Response:
    stream = account.changeable(request, now)
    name = request["ConsumerName"]
    consumers = stream.known_consumers(now)
    if name in consumers:
        raise consumer_exists(name, stream.name, account.account_id)
    _check_room(account, stream, now)
    tags: dict[str, str] = request.get("Tags", {})
    check_tags(stream.name, account.account_id, tags)
    consumer = FanOutConsumer(name, stream.arn, dict(tags), now)
    consumer.transition("CREATING", now + account.transition_seconds)
    consumers[name] = consumer
    # The service responds before the consumer is ready, however soon that is.
    return {"Consumer": consumer.describe(now) | {"ConsumerStatus": "CREATING"}}


def _check_room(account: KinesisAccount, stream: Stream, now: float) -> None:
    limit = limits.CONSUMERS_ADVANTAGE if account.has_advantage(stream, now) else limits.CONSUMERS
    if len(stream.known_consumers(now)) >= limit:
        raise limit_exceeded(
            f"Stream {stream.name} under account {account.account_id} may have {limit} registered consumers."
        )
    # The API reference leaves open whether the limit of five holds for the account or for each stream.
    creating = sum(consumer.status(now) == "CREATING" for consumer in stream.known_consumers(now).values())
    if creating >= limits.CONSUMERS_CREATING:
        raise limit_exceeded(
            f"Stream {stream.name} under account {account.account_id} may have {limits.CONSUMERS_CREATING} consumers "
            "in the CREATING state at a time."
        )


def describe_stream_consumer(account: KinesisAccount, request: Request, now: float) -> Response:
    consumer = _named_consumer(account, request, now)
    return {"ConsumerDescription": consumer.describe(now) | {"StreamARN": consumer.stream_arn}}


def deregister_stream_consumer(account: KinesisAccount, request: Request, now: float) -> Response:
    _named_consumer(account, request, now).transition("DELETING", now + account.transition_seconds)
    return None


def list_stream_consumers(account: KinesisAccount, request: Request, now: float) -> Response:
    stream = account.named(request, now)
    after = ""
    if "NextToken" in request:
        if "StreamCreationTimestamp" in request:
            raise invalid("NextToken and StreamCreationTimestamp cannot be provided together.")
        token = open_page(request["NextToken"], now)
        if (token.stream_name, token.created_at) != (stream.name, stream.created_at):
            raise invalid(f"The NextToken is not one of stream {stream.name}.")
        after = token.after
    elif not stream.was_created_at(request.get("StreamCreationTimestamp")):
        raise stream_not_found(stream.name, account.account_id)
    count = request.get("MaxResults", limits.LIST_CONSUMERS)
    left = [consumer for name, consumer in sorted(stream.known_consumers(now).items()) if name > after]
    response: dict[str, Any] = {"Consumers": [consumer.describe(now) for consumer in left[:count]]}
    if len(left) > count:
        response["NextToken"] = seal(PageToken(stream.name, stream.created_at, left[count - 1].name, None, now))
    return response


def _named_consumer(account: KinesisAccount, request: Request, now: float) -> FanOutConsumer:
    """Return the consumer that the request names: by its ARN, by stream and name, or by both if they agree."""
    arn, stream_arn, name = (request.get(each) for each in ("ConsumerARN", "StreamARN", "ConsumerName"))
    if arn is None:
        if stream_arn is None or name is None:
            raise invalid("Either ConsumerARN, or both StreamARN and ConsumerName, must be provided.")
        consumer = account.named({"StreamARN": stream_arn}, now).known_consumers(now).get(name)
        if consumer is None:
            raise consumer_not_found(name, account.account_id)
        return consumer
    _, consumer = account.consumer_of_arn(arn, now)
    if stream_arn not in {None, consumer.stream_arn} or name not in {None, consumer.name}:
        raise invalid(f"ConsumerARN {arn} names another consumer than StreamARN and ConsumerName.")
    return consumer
