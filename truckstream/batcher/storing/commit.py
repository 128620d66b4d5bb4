"""Stores one group: the object of its valid records and the object of its refused ones. Both, or it is not stored.

- The object that holds the group's first record goes first, because its creation settles where the group ends (see
  `course`): it is the group's claim. Whoever cuts a group from that record on meets the same object first, because a
  record is valid or refused for everybody. The other object is made for just the claim's records; a redelivery finds
  the claim and completes the group. A group of refused records only has no data object: its claim is all it has.
- All are created by one routine: try to create; where something exists, look; if it is ours, done; if it is not there
  after all (S3's 409), try again; if it is somebody else's, take a longer key. So the function reads only what it has
  just found to exist: it needs s3:PutObject and s3:GetObject. (Without s3:ListBucket S3 answers 403 for an object that
  is not there. That happens after a 409 or a failure only, and then the group comes again.)
- A group that is stored together with records which this delivery does not have is *open*: if this delivery were
  answered as complete, the next would begin inside an object and store the rest of it again. So it counts as not
  stored, and Lambda delivers it again from its first record. Unless it begins the delivery: then another round would
  bring nothing, and going on is worth more than up to a group of duplicates.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from truckstream.batcher.grouping.lines import Claim
from truckstream.batcher.result import Committed, Receipt
from truckstream.batcher.storing.object_key import SUFFIX_LENGTHS, Layout, object_key
from truckstream.batcher.storing.redelivery import Held, judge_claim, judge_content, judge_open
from truckstream.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from truckstream.batcher.grouping.lines import Strand
    from truckstream.batcher.grouping.plan import Cut
    from truckstream.batcher.reading.checking import Checked
    from truckstream.batcher.result import Outcome
    from truckstream.batcher.storing.put_time import PutTime
    from truckstream.batcher.storing.store import Store, StoredObject

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
    #: The field that tells an object's hour in place of its arrival.
    event_time: str | None = None


@dataclass(frozen=True, slots=True)
class _Settled:
    held: Held
    receipt: Receipt
    #: True if content had to tell where the object's group ends: it may end later.
    guessed: bool = False


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
        #: How long each PUT took.
        self.put_seconds: list[float] = []

    async def commit(self, cut: Cut) -> Committed:
        """Store the group, or find it stored.

        Raises:
            StoreError: not all of it is stored.
        """
        start, stop = cut
        first, second = self._in_order_of_claim(start)
        claim = await self._settle(first, start, stop)
        self._check_open(claim, start)
        stop = claim.held.stop
        others, reached = await self._complete(second, start, stop)
        if claim.guessed and not others:
            reached = await self._reach(second, start, stop)
        # Content shows lines only: the group may have gone on with records whose lines are in the other object.
        stop = max(stop, first.edges.at_or_before(min(reached, first.next_line(stop))))
        objects, rejected_objects = ((claim.receipt,), others) if first is self._data else (others, (claim.receipt,))
        return Committed(start, stop, claim.receipt.outcome == "created", objects, rejected_objects)

    async def _complete(self, strand: Strand, start: int, stop: int) -> tuple[tuple[Receipt, ...], int]:
        """Store the group's lines of the other strand, and say how far their objects reach.

        It is one object, but where content alone had to tell where groups end: then there may be several.
        """
        receipts: list[Receipt] = []
        reached = start
        while reached < stop and strand.count(reached, stop):
            settled = await self._settle(strand, reached, stop)
            self._check_open(settled, start)
            receipts.append(settled.receipt)
            reached = settled.held.stop
        return tuple(receipts), reached

    async def _reach(self, strand: Strand, start: int, stop: int) -> int:
        """How far the group's object of the other strand goes, if it has one though no line of it is before `stop`."""
        if strand.next_line(stop) != stop:
            return stop
        key = self._key(strand, start)
        stored = await self._store.look(key)
        held = stored and await self._judge(strand, start, len(strand), key, stored)
        return held.stop if held else stop

    async def is_free(self, cut: Cut) -> bool:
        """True if there is no object where the group begins."""
        claim, _ = self._in_order_of_claim(cut.start)
        try:
            return await self._store.look(self._key(claim, cut.start)) is None
        except StoreError:
            return False

    def _in_order_of_claim(self, start: int) -> tuple[Strand, Strand]:
        """The strand that has the record at `start`, and the other one."""
        return (self._data, self._rejected) if self._data.count(start, start + 1) else (self._rejected, self._data)

    async def _settle(self, strand: Strand, start: int, stop: int) -> _Settled:
        """Create the object of a strand's lines, or find it stored."""
        body = await _encode(strand, start, stop)
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
            if await self._create(key, body, strand.format.headers | claim.to_metadata()):
                return _Settled(Held(stop), _receipt(strand, start, stop, key, len(body), "created"))
            stored = await self._store.look(key)
            if stored is not None:
                held = await self._judge(strand, start, stop, key, stored)
                if held is None:
                    return None
                outcome: Outcome = "already there" if held == Held(stop) else "adopted"
                guessed = Claim.from_metadata(stored.metadata) is None
                return _Settled(held, _receipt(strand, start, held.stop, key, stored.size, outcome), guessed)
        raise StoreError("Conflict", f"{key}: {ATTEMPTS} attempts to create it met others, and nothing is there")

    async def _create(self, key: str, body: bytes, attributes: Mapping[str, str]) -> bool:
        begun = self._clock()
        created = await self._store.create(key, body, attributes)
        self.put_seconds.append(self._clock() - begun)
        self._put_time.learn(self.put_seconds[-1])
        return created

    async def _judge(self, strand: Strand, start: int, stop: int, key: str, stored: StoredObject) -> Held | None:
        claim = Claim.from_metadata(stored.metadata)
        verdict = "read" if claim is None else judge_claim(strand, start, claim)
        if verdict != "read":
            return verdict
        content = await self._store.read(key)
        return judge_content(strand, start, stop, content) if claim is None else judge_open(strand, start, content)

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
        where = self._prefixes
        if strand is self._data:
            return object_key(where.data, where.layout, strand, start, length=length, event_time=where.event_time)
        return object_key(where.rejected, where.layout, strand, start, length=length)


async def _encode(strand: Strand, start: int, stop: int) -> bytes:
    """The object's bytes. Compression lets go of Python's lock: in a thread, other groups' PUTs go on meanwhile."""
    if strand.format.slow:
        return await asyncio.to_thread(strand.body, start, stop)
    return strand.body(start, stop)


def _receipt(strand: Strand, start: int, stop: int, key: str, size: int, outcome: Outcome) -> Receipt:
    return Receipt(
        key=key,
        records=strand.count(start, stop),
        bytes=size,
        first_sequence_number=strand.sequences[start],
        last_sequence_number=strand.sequences[stop - 1],
        outcome=outcome,
    )
