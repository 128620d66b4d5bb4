"""From the arguments of a put to the data and the partition key of a record."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

from truckstream.errors import InvalidArgumentError
from truckstream.kinesis.shard_map import plain_str
from truckstream.producer.arguments.partition_keys import key_reader
from truckstream.producer.arguments.serialization import plain_data, serializing

if TYPE_CHECKING:
    from truckstream.producer.arguments.types import KeyOf, Serializer

__all__ = ["PutArguments"]

_NO_KEY_RULE: Final = "must be a str: pass it, or make the producer with key="


class PutArguments:
    """The serializer and the key of one producer.

    Args:
        serializer: makes data of each object; None if callers pass bytes or text.
        key: reads the partition key of an object that is put without one; None if callers pass it.

    Raises:
        InvalidArgumentError: one of them is not what it must be.
    """

    __slots__ = ("_key_of", "data_of", "has_key", "sent_as_it_is")

    def __init__(self, serializer: Serializer[Any] | str | None, key: KeyOf[Any] | None) -> None:
        #: The type of the data for which `data_of` need not be called. A serializer gets every object, bytes as well:
        #: no object is an instance of an empty tuple.
        self.sent_as_it_is = bytes if serializer is None else cast("type[bytes]", ())
        self.data_of = plain_data if serializer is None else serializing(serializer)
        self.has_key = key is not None
        self._key_of = None if key is None else key_reader(key)

    def key_of(self, value: object, partition_key: object) -> str:
        """Return the partition key that was passed with an object, or that of the object itself.

        Raises:
            InvalidArgumentError: there is none, or it is no str.
        """
        if partition_key is None:
            if self._key_of is None:
                raise InvalidArgumentError("partition_key", None, _NO_KEY_RULE)
            partition_key = self._key_of(value)
        return plain_str("partition_key", partition_key)

    def pair_of(self, record: Any, index: int) -> tuple[Any, str | None]:
        """Return the data and the partition key of `records[index]` of `put_many`.

        Raises:
            InvalidArgumentError: it is no pair, although the producer has no `key`.
        """
        if self.has_key:
            return record, None
        if not isinstance(record, str):  # two characters are no pair
            with suppress(TypeError, ValueError):
                data, partition_key = record
                return data, partition_key
        rule = f"must be pairs of data and partition key, or the producer needs key=: records[{index}] is no pair"
        raise InvalidArgumentError("records", record, rule)
