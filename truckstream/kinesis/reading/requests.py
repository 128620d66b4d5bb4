"""The bodies of the requests that read, and of the short responses to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from truckstream.kinesis.responses import decode_response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truckstream.kinesis.reading.position import Position

__all__ = [
    "ConsumerDescription",
    "iterator_request",
    "parse_consumer_description",
    "parse_iterator",
    "parse_registered_consumer",
    "starting_position",
]


class ConsumerDescription(msgspec.Struct, frozen=True):
    """A consumer with enhanced fan-out."""

    arn: str = msgspec.field(name="ConsumerARN")
    #: CREATING, ACTIVE or DELETING.
    status: str = msgspec.field(name="ConsumerStatus")


class _IteratorResponse(msgspec.Struct, rename="pascal"):
    shard_iterator: str


class _RegisterResponse(msgspec.Struct, rename="pascal"):
    consumer: ConsumerDescription


class _DescribeResponse(msgspec.Struct, rename="pascal"):
    consumer_description: ConsumerDescription


_decode_iterator: Final = msgspec.json.Decoder(_IteratorResponse).decode
_decode_register: Final = msgspec.json.Decoder(_RegisterResponse).decode
_decode_describe: Final = msgspec.json.Decoder(_DescribeResponse).decode


def iterator_request(stream: Mapping[str, str], shard_id: str, position: Position) -> dict[str, Any]:
    """Return the members of a GetShardIterator request."""
    request: dict[str, Any] = {**stream, "ShardId": shard_id, "ShardIteratorType": position.type}
    if position.sequence_number is not None:
        request["StartingSequenceNumber"] = position.sequence_number
    if position.timestamp is not None:
        request["Timestamp"] = position.timestamp
    return request


def starting_position(position: Position) -> dict[str, Any]:
    """Return the StartingPosition of a SubscribeToShard request."""
    start: dict[str, Any] = {"Type": position.type}
    if position.sequence_number is not None:
        start["SequenceNumber"] = position.sequence_number
    if position.timestamp is not None:
        start["Timestamp"] = position.timestamp
    return start


def parse_iterator(body: bytes) -> str:
    """Return the iterator in a response of GetShardIterator."""
    return decode_response(_decode_iterator, body).shard_iterator


def parse_registered_consumer(body: bytes) -> ConsumerDescription:
    """Return the consumer in a response of RegisterStreamConsumer."""
    return decode_response(_decode_register, body).consumer


def parse_consumer_description(body: bytes) -> ConsumerDescription:
    """Return the consumer in a response of DescribeStreamConsumer."""
    return decode_response(_decode_describe, body).consumer_description
