"""The expressions of one conditional UpdateItem of DynamoDB."""

from __future__ import annotations

from typing import Any

from truckstream.consumer.tables.lease_item import KEY

__all__ = ["ItemUpdate"]


class ItemUpdate:
    """The expressions of an UpdateItem that changes only attributes that differ, so that attributes of others stay."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.values: dict[str, dict[str, Any]] = {}

    def is_equal(self, name: str, value: dict[str, Any] | None) -> str:
        """Return the condition that an attribute has this value, or does not exist."""
        return (
            f"attribute_not_exists({self._name(name)})"
            if value is None
            else f"{self._name(name)} = {self._value(value)}"
        )

    def change(self, old: dict[str, Any], new: dict[str, Any]) -> str:
        """Return the expression that changes the attributes of `old` to those of `new`, the key excepted."""
        changed = [
            f"{self._name(name)} = {self._value(value)}" for name, value in new.items() if old.get(name) != value
        ]
        gone = [self._name(name) for name in old if name not in new and name != KEY]
        return " ".join(f"{word} {', '.join(parts)}" for word, parts in (("SET", changed), ("REMOVE", gone)) if parts)

    def _name(self, name: str) -> str:
        self.names[f"#{name}"] = name
        return f"#{name}"

    def _value(self, value: dict[str, Any]) -> str:
        placeholder = f":v{len(self.values)}"
        self.values[placeholder] = value
        return placeholder
