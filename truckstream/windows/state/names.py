"""The names of states: which state goes with which checkpoint.

    {application}/{stream}/{shard}/{sequence number}-{subsequence number}.state    after the records up to a checkpoint
    {application}/{stream}/{shard}/SHARD_END.state                                 after all records of the shard
    {application}/{stream}/{shard}/inherited/{first}-{last}                        a child's range that has taken it
    over

A state is written before its checkpoint, and older ones are deleted after it. So the state of the checkpoint in the
lease table always exists. A state without a checkpoint, which a killed reader has left, is written again with the same
content by the reader that reads on, or deleted with the older ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from truckstream.consumer import Checkpoint
from truckstream.consumer.leases.lease import SHARD_END
from truckstream.kinesis.limits import MAX_HASH_KEY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from truckstream.windows.state.resharding import HashRange

__all__ = ["END", "StateNames", "covers"]

#: The checkpoint of a shard that was read to its end.
END: Final = Checkpoint(SHARD_END)

_SUFFIX: Final = ".state"


class StateNames:
    """The names of one shard's states."""

    def __init__(self, application: str, stream: str, shard_id: str) -> None:
        self._stream = (application, stream)
        self.folder = "/".join(quote(each, safe="") for each in (application, stream, shard_id))

    def of_parent(self, shard_id: str) -> StateNames:
        """Return the names of another shard of the stream."""
        return StateNames(*self._stream, shard_id)

    def state(self, checkpoint: Checkpoint) -> str:
        """Return the name of the state that goes with a checkpoint."""
        if checkpoint == END:
            return f"{self.folder}/{SHARD_END}{_SUFFIX}"
        return f"{self.folder}/{checkpoint.sequence_number}-{checkpoint.subsequence_number}{_SUFFIX}"

    def older(self, names: Iterable[str], checkpoint: Checkpoint) -> list[str]:
        """Return those of `names` that are states of checkpoints before `checkpoint`."""
        before = _place(checkpoint)
        return [name for name in names if (place := self._place_of(name)) is not None and place < before]

    def _place_of(self, name: str) -> tuple[int, int] | None:
        folder, _, last = name.rpartition("/")
        number, dash, subsequence = last.removesuffix(_SUFFIX).partition("-")
        is_state = folder == self.folder and last.endswith(_SUFFIX) and dash
        return (int(number), int(subsequence)) if is_state and number.isdecimal() and subsequence.isdecimal() else None

    @property
    def inherited_folder(self) -> str:
        """The folder with a mark for each child that has taken the last state over."""
        return f"{self.folder}/inherited"

    def inherited_by(self, hash_range: HashRange | None) -> str:
        """Return the name of the mark of a child with this range."""
        first, last = hash_range or (0, MAX_HASH_KEY)
        return f"{self.inherited_folder}/{first}-{last}"


def covers(marks: Iterable[str], parent: HashRange | None) -> bool:
    """Return whether the children with these marks own all hash keys of the parent, so that none needs its state."""
    least, greatest = parent or (0, MAX_HASH_KEY)
    for first, last in sorted(_range_of(mark) for mark in marks):
        if first > least:
            return False
        least = max(least, last + 1)
    return least > greatest


def _range_of(mark: str) -> HashRange:
    first, _, last = mark.rpartition("/")[2].partition("-")
    return int(first), int(last)


def _place(checkpoint: Checkpoint) -> tuple[float, int]:
    """Return a checkpoint's place among those of its shard."""
    if checkpoint == END:
        return float("inf"), 0
    return int(checkpoint.sequence_number), checkpoint.subsequence_number
