"""The state of an evaluator as bytes."""

from __future__ import annotations

from typing import Final

import msgspec

from truckstream.alerts.evaluation.truck_state import TruckState
from truckstream.alerts.rules.rule import Severity
from truckstream.errors import UsageError

__all__ = ["Snapshot", "read_snapshot"]

#: To be raised when a program of the version before could not read the state.
VERSION: Final = 1


class Snapshot(msgspec.Struct, array_like=True):
    """The state of an evaluator."""

    watermark: float
    #: Kind and severity of each rule by its name, for the ends of incidents whose rule is gone.
    rules: dict[str, tuple[str, Severity]]
    trucks: dict[str, TruckState]

    def to_bytes(self) -> bytes:
        """Encode with the version in front."""
        return bytes([VERSION]) + msgspec.msgpack.encode(self)


_decode: Final = msgspec.msgpack.Decoder(Snapshot).decode


def read_snapshot(data: bytes) -> Snapshot:
    """Decode a snapshot.

    Raises:
        UsageError: it is of another version, or damaged.
    """
    if data[:1] != bytes([VERSION]):
        found = data[0] if data else "none"
        raise UsageError(f"the state of the alerts has version {found}, and this program knows version {VERSION}")
    try:
        return _decode(data[1:])
    except msgspec.DecodeError as error:
        raise UsageError(f"the state of the alerts is damaged: {error}") from error
