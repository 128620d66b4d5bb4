"""The partition key of a line: one of its fields, one key for all lines, or a random key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from truckstream.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

__all__ = ["KeyRule", "key_rule"]

#: Returns the partition key of a line, or raises UsageError.
KeyRule: TypeAlias = "Callable[[bytes], str]"


def key_rule(field: str | None, key: str | None, ordered: bool, source: random.Random) -> KeyRule:  # noqa: FBT001
    """Return the rule that the options ask for.

    Raises:
        ConfigurationError: the options contradict each other.
        InvalidArgumentError: the key breaks the service's rules.
    """
    if field is not None and key is not None:
        raise ConfigurationError("--key", "cannot be used with --key-field", "Pass one of them.")
    if ordered and field is None and key is None:
        hint = "Pass --key-field or --key: without them each line has a random key, and order is kept within a key."
        raise ConfigurationError("--ordered", "needs keys that lines share", hint)
    if field is not None:
        return _field_rule(field)
    if key is not None:
        from truckstream.kinesis.shard_map import check_partition_key  # noqa: PLC0415 - loaded with the producer

        check_partition_key(key)
        return lambda _: key
    # 128 random bits are spread over the shards for any lines. A hash of the line would send the lines of a
    # device that repeats itself to one shard.
    return lambda _: f"{source.getrandbits(128):032x}"


def _field_rule(field: str) -> KeyRule:
    """Return a rule that takes the key from a field of the line.

    A name with dots is a path into nested objects, unless the object has a field of the whole name, as OpenTelemetry's
    "service.name".
    """
    if not all(path := field.split(".")):
        raise ConfigurationError("--key-field", f"is {field!r}", "Pass a field's name, or a path such as truck.id.")

    def key_of(line: bytes) -> str:
        try:
            document = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"the line is no JSON, which --key-field needs ({error})") from error
        if not isinstance(document, dict):
            raise UsageError("the line is no JSON object, which --key-field needs")
        value = document[field] if field in document else _follow(document, path)
        # A whole number is as good a name as a text; other values have no single form.
        if isinstance(value, str) or type(value) is int:
            return str(value)
        found = msgspec.json.encode(value).decode()
        raise UsageError(f"{field} is {found[:80]}: a partition key must be a string or a whole number")

    return key_of


def _follow(value: Any, path: list[str]) -> Any:
    for at, name in enumerate(path):
        if not isinstance(value, dict) or name not in value:
            raise UsageError(
                f"{'.'.join(path[: at + 1])} is missing: --key-field {'.'.join(path)} needs it in each line"
            )
        value = value[name]
    return value
