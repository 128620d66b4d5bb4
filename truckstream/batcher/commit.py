"""Stores one group: the object of its valid records, then the object of its refused ones. Both, or it is not stored.

- The data object goes first, because its creation settles where the group ends (see `course`). The rejected object
  is then made for just these records; a redelivery finds the first and completes the second.
- A group without a valid record has no data object: its rejected object settles it. A later delivery may hold that
  group's records *and* valid ones after them; it must not make one group of both. So where a group begins with a
  refused record, we look whether such a group was stored first.
- Both kinds are created by one routine: try to create; where something exists, look; if it is ours, done; if it is
  not there after all (S3's 409), try again; if it is somebody else's, take a longer key.
- A group that is stored together with records which this delivery does not have is *open*: if this delivery were
  answered as complete, the next would begin inside an object and store the rest of it again. So it counts as not
  stored, and Lambda delivers it again from its first record. Unless it begins the delivery: then another round would
  bring nothing, and going on is worth more than up to a group of duplicates.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from truckstream.batcher.conflict import Held, judge_claim, judge_content
from truckstream.batcher.keys import SUFFIX_LENGTHS, Layout, object_key
from truckstream.batcher.result import Committed, Receipt
from truckstream.batcher.strand import Claim
from truckstream.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from truckstream.batcher.checking import Checked
    from truckstream.batcher.course import Cut
    from truckstream.batcher.result import Outcome
    from truckstream.batcher.store import Store, StoredObject
    from truckstream.batcher.strand import Strand
    from truckstream.batcher.timing import PutTime

__all__ = ["Committer", "Prefixes"]

_logger = logging.getLogger("truckstream.batcher")

#: Attempts to create an object that is in nobody's way but does not land, either. A 409 lasts as long as the other
#: request, and each look takes a round trip in between.
ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class Prefixes:
    """Where keys begin, and how they go on."""

    data: str
    rejected: str
    layout: Layout


@dataclass(frozen=True, slots=True)
class _Settled:
    held: Held
    receipt: Receipt


class Committer:
    """Stores groups of one delivery."""

    def __init__(
        self, store: Store, prefixes: Prefixes, checked: Checked, put_time: PutTime, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._prefixes = prefixes
        self._data = checked.data
        self._rejected = checked.rejected
        self._put_time = put_time
        self._clock = clock

    async def commit(self, cut: Cut) -> Committed:
        """Store the group, or find it stored.

        Raises:
            StoreError: not all of it is stored.
        """
        start, stop = cut.start, await self._end_of_refused_group(cut)
        objects: list[Receipt] = []
        if self._data.count(start, stop):
            settled = await self._settle(self._data, start, stop)
            self._check_open(settled, start)
            objects.append(settled.receipt)
            stop = settled.held.stop
        rejected_objects, reached = await self._commit_rejected(start, stop, claims=not objects)
        if not objects:
            stop = min(stop, reached)
        elif objects[0].outcome != "created" and not rejected_objects:
            reached = await self._reach_of_rejected(start, stop)
        # Refused records at the group's end may lie in its rejected object though its data object does not show them.
        stop = max(stop, min(reached, self._data.next_line(stop)))
        fresh = (objects or rejected_objects)[0].outcome == "created"
        return Committed(start, stop, fresh, tuple(objects), tuple(rejected_objects))

    async def _commit_rejected(self, start: int, stop: int, *, claims: bool) -> tuple[list[Receipt], int]:
        """Store the refused records up to `stop`, and say how far their objects reach.

        They may lie in several objects, because earlier deliveries may have been cut elsewhere. `claims`: there is no
        data object, so the first of them settles where the group ends.
        """
        receipts: list[Receipt] = []
        reached = start
        while reached < stop and self._rejected.count(reached, stop):
            settled = await self._settle(self._rejected, reached, stop)
            receipts.append(settled.receipt)
            reached = settled.held.stop
            if claims:
                self._check_open(settled, start)
                break
        return receipts, reached

    async def _reach_of_rejected(self, start: int, stop: int) -> int:
        """How far a rejected object goes that has no line before `stop`."""
        if self._data.next_line(stop) == stop:
            return stop
        key = self._key(self._rejected, start)
        stored = await self._store.look(key)
        held = stored and await self._judge(self._rejected, start, len(self._rejected), key, stored)
        return held.stop if held else stop

    async def is_free(self, cut: Cut) -> bool:
        """True if there is no object where the group begins."""
        keys = [self._key(strand, cut.start) for strand in (self._data, self._rejected)]
        try:
            return all([await self._store.look(key) is None for key in keys])
        except StoreError:
            return False

    async def _end_of_refused_group(self, cut: Cut) -> int:
        """The group's end; an earlier one if refused records at its beginning were stored as a group of their own."""
        start, stop = cut
        if not self._rejected.count(start, start + 1) or not self._data.count(start, stop):
            return stop
        key = self._key(self._rejected, start)
        stored = await self._store.look(key)
        if stored is None or await self._store.look(self._key(self._data, start)) is not None:
            return stop
        held = await self._judge(self._rejected, start, stop, key, stored)
        return stop if held is None else min(stop, held.stop, self._data.next_line(start))

    async def _settle(self, strand: Strand, start: int, stop: int) -> _Settled:
        """Create the object of a strand's lines, or find it stored."""
        body = strand.body(start, stop)
        claim = strand.claim(start, stop)
        for length in SUFFIX_LENGTHS:
            key = self._key(strand, start, length)
            settled = await self._settle_key(strand, start, stop, key, body, claim)
            if settled is not None:
                return settled
            _logger.warning("%s holds other records than ours: taking a longer key", key)
        raise StoreError("KeyCollision", f"every key for the group of {claim.first} holds other records")

    async def _settle_key(
        self, strand: Strand, start: int, stop: int, key: str, body: bytes, claim: Claim
    ) -> _Settled | None:
        """The same under one key; None if another group's object lies there."""
        for _ in range(ATTEMPTS):
            if await self._create(key, body, claim):
                return _Settled(Held(stop), _receipt(strand, start, stop, key, len(body), "created"))
            stored = await self._store.look(key)
            if stored is not None:
                held = await self._judge(strand, start, stop, key, stored)
                if held is None:
                    return None
                outcome: Outcome = "already there" if held == Held(stop) else "adopted"
                return _Settled(held, _receipt(strand, start, held.stop, key, stored.size, outcome))
        raise StoreError("Conflict", f"{key}: {ATTEMPTS} attempts to create it met others, and nothing is there")

    async def _create(self, key: str, body: bytes, claim: Claim) -> bool:
        begun = self._clock()
        created = await self._store.create(key, body, claim.to_metadata())
        self._put_time.learn(self._clock() - begun)
        return created

    async def _judge(self, strand: Strand, start: int, stop: int, key: str, stored: StoredObject) -> Held | None:
        claim = Claim.from_metadata(stored.metadata)
        verdict = "read" if claim is None else judge_claim(strand, start, claim)
        if verdict == "read":
            return judge_content(strand, start, stop, await self._store.read(key))
        return verdict

    def _check_open(self, settled: _Settled, start: int) -> None:
        if not settled.held.open:
            return
        receipt = settled.receipt
        if start:
            raise StoreError(
                "OpenGroup", f"{receipt.key} goes on after this delivery: to be delivered again as a whole"
            )
        _logger.warning(
            "%s goes on after record %s, the last of this delivery: the records between may be stored twice",
            receipt.key,
            receipt.last_sequence_number,
        )

    def _key(self, strand: Strand, start: int, length: int = SUFFIX_LENGTHS[0]) -> str:
        prefix = self._prefixes.data if strand is self._data else self._prefixes.rejected
        return object_key(prefix, self._prefixes.layout, strand, start, length=length)


def _receipt(strand: Strand, start: int, stop: int, key: str, size: int, outcome: Outcome) -> Receipt:
    return Receipt(
        key=key,
        records=strand.count(start, stop),
        bytes=size,
        first_sequence_number=strand.sequences[start],
        last_sequence_number=strand.sequences[stop - 1],
        outcome=outcome,
    )
