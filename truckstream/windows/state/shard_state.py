"""The state of one shard's windows as bytes.

A state is complete: with it and the records after its checkpoint, a reader makes the results that the previous reader
would have made. It names its version and the program's windows, and is refused if either is another one.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from truckstream.errors import WindowStateError

__all__ = ["VERSION", "GroupState", "ShardState", "decode_state", "encode_state", "hash_range_of"]

#: Another meaning of the bytes gets another number.
VERSION: Final = 1


class GroupState(msgspec.Struct, array_like=True, gc=False):
    """One key in one window. The first fields are those of `WindowGroup`."""

    key: Any
    start: int
    end: int
    records: int
    late: int
    #: The index of the shard where the group began, in `ShardState.parts`.
    part: int
    #: None if it is the key.
    partition_key: str | None
    explicit_hash_key: str | None
    accumulators: list[Any]


class ShardState(msgspec.Struct, kw_only=True):
    """A shard's windows after the records up to a checkpoint."""

    version: int = VERSION
    #: `WindowPlan.identity`.
    plan: str
    #: The shard's hash keys, both ends included, in decimal: they have more bits than the format's integers.
    hash_range: tuple[str, str] | None = None
    #: The greatest event time in microseconds, and the arrival of its record in seconds; None before the first record.
    event_time: int | None = None
    arrival: float = 0.0
    parts: list[str] = []
    groups: list[GroupState] = []

    @property
    def owned(self) -> tuple[int, int] | None:
        """The shard's hash keys, both ends included; None if they are not known."""
        return None if self.hash_range is None else (int(self.hash_range[0]), int(self.hash_range[1]))


class _Version(msgspec.Struct):
    version: int


_encode: Final = msgspec.msgpack.Encoder().encode
_decode_version: Final = msgspec.msgpack.Decoder(_Version).decode
_decode: Final = msgspec.msgpack.Decoder(ShardState).decode


def hash_range_of(data: bytes) -> tuple[int, int] | None:
    """Return the shard's hash keys in a state that `decode_state` accepts; None if they are not known."""
    return _decode(data).owned


def encode_state(state: ShardState) -> bytes:
    """Return the state as bytes."""
    return _encode(state)


def decode_state(data: bytes, plan: str) -> ShardState:
    """Return the state of these bytes.

    Raises:
        WindowStateError: they are no state, or that of another version or of other windows.
    """
    try:
        version = _decode_version(data).version
        if version != VERSION:
            raise WindowStateError(
                f"it has version {version}, and this truckstream reads version {VERSION}",
                "Run the version that wrote it, or choose another application, which begins anew.",
            )
        state = _decode(data)
    except msgspec.MsgspecError as error:
        raise WindowStateError(
            f"its bytes are no state: {error}", "Was the object written by something else?"
        ) from error
    if state.plan != plan:
        raise WindowStateError(
            f"it belongs to other windows: {state.plan}; the program has {plan}",
            "Choose another application, which begins anew, or change the windows back.",
        )
    return state
