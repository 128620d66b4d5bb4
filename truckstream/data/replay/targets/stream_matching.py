"""Decide which records of unfinished intents are in the stream, from the records that were read there.

A record in the stream has no trace of the intent that put it. It is taken for a replayed one if it has the partition
key and the bytes of that one, arrived since the intent was written, and is none of the records that are known:

- the rejected record itself, which has these bytes too if nothing was repaired: its sequence number is in the intent;
- a record whose sequence number is in the outcome of another intent.

If several records that are wanted are equal, each record that was found counts for one of them.
"""

from __future__ import annotations

from collections import defaultdict
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from truckstream.data.replay.journal.entries import EntryName, Intent

__all__ = ["CLOCK_DIFFERENCE", "OpenIntent", "StreamMatching"]

#: The clocks of this machine and of the service may differ so much, in seconds: as far as a signature is accepted.
CLOCK_DIFFERENCE: Final = 300.0


class OpenIntent(NamedTuple):
    """An unfinished intent, and the indices of its records that are under way."""

    name: EntryName
    intent: Intent
    indices: list[int]


class StreamMatching:
    """Matches the records of a stream with those of unfinished intents.

    Args:
        intents: the intents, in their order.
        known: sequence numbers of records that another intent is known to have put.
    """

    def __init__(self, intents: Iterable[OpenIntent], known: Iterable[str]) -> None:
        self._intents = list(intents)
        self._known = set(known) | {item.sequence_number for each in self._intents for item in each.intent.items}
        #: The earliest arrival of a record that was put by one of the intents.
        self.since = min((each.intent.at for each in self._intents), default=0.0) - CLOCK_DIFFERENCE
        self._wanted = {
            _identity(each.intent.items[index].partition_key, each.intent.items[index].data)
            for each in self._intents
            for index in each.indices
        }
        self._found: defaultdict[bytes, list[tuple[float, str]]] = defaultdict(list)

    def offer(self, partition_key: str, data: bytes, sequence_number: str, arrival: float) -> None:
        """Take a record of the stream."""
        identity = _identity(partition_key, data)
        if identity in self._wanted and arrival >= self.since and sequence_number not in self._known:
            self._known.add(sequence_number)  # a page may be read twice
            self._found[identity].append((arrival, sequence_number))

    def found(self) -> Mapping[EntryName, list[tuple[int, str]]]:
        """Return the records that are in the stream, by intent: their indices and their sequence numbers there."""
        left = {identity: sorted(places, reverse=True) for identity, places in self._found.items()}
        result: dict[EntryName, list[tuple[int, str]]] = {}
        for name, intent, indices in self._intents:
            result[name] = []
            for index in indices:
                item = intent.items[index]
                places = left.get(_identity(item.partition_key, item.data))
                if places and places[-1][0] >= intent.at - CLOCK_DIFFERENCE:
                    result[name].append((index, places.pop()[1]))
        return result


def _identity(partition_key: str, data: bytes) -> bytes:
    key = partition_key.encode("utf-8", "backslashreplace")
    return blake2b(len(key).to_bytes(4, "big") + key + data, digest_size=16).digest()
