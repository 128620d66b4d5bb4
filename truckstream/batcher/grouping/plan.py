"""Which groups may be put now: the order that keeps the objects of a shard a chain without gaps or overlaps.

An object's key says where it begins, and only the object itself says where it ends. A redelivery may be cut
elsewhere than the delivery whose objects it meets: Lambda tops it up with newer records. Its second group may end
early in the store, and then the third must begin where the second ended. So nothing may be created before it is
known that no object covers its first record. Three rules give that knowledge and still put groups in parallel:

1. **Walk**: the first group alone. If its object was there already, this is a redelivery: go on from where that
   object ends, again with one group alone. The first group that was *not* there ends the walk.
2. **Spread**: then all further full groups at once. Whatever an earlier delivery left among them lies on the same
   edges, because of rule 3: from a group that is not stored, every delivery goes on in equal steps.
3. **Tail**: the rest, fewer records than a full group, only when all before it is stored. It is the one edge that
   the next delivery does not repeat, so it is never left behind a gap. If something failed, it comes again anyway.

A group that failed in the spread stops no other. One that failed in the walk stops the delivery, unless a look shows
that its key is free: that is the knowledge that the spread needs. When the size of a group depends on the size of
the delivery (`batch_size="auto"` below a full group), redeliveries do not repeat any edge: then the whole delivery is
a walk (`in_order`).

A group that ends inside an aggregate takes the rest of it in. Where a group ends depends on where it begins alone, so
this changes nothing of the above.

What this cannot see is a delivery that *begins* inside a group of the store, or one that is shorter than an earlier
one and *ends* in a gap which that had left: what follows has other edges than the store. `commit` asks Lambda for
another round where that can still be prevented; where it cannot, records from there on that were delivered before, and
none before there, may be stored twice, and none is lost. Lambda repeats or tops up, and does not shorten, unless it is
told to bisect batches, or the mapping is made again with shorter ones: so it must not be.
"""

from __future__ import annotations

from typing import NamedTuple

from truckstream.batcher.grouping.edges import EVERYWHERE, Edges

__all__ = ["Course", "Cut"]


class Cut(NamedTuple):
    """A group: the delivery's records from `start` to `stop`, exclusive. Both are edges."""

    start: int
    stop: int


class Course:
    """Gives out the cuts of one delivery, each once, as the outcomes of earlier ones allow."""

    def __init__(self, length: int, size: int, *, in_order: bool = False, edges: Edges = EVERYWHERE) -> None:
        self._length = length
        self._size = size
        self._edges = edges
        self._in_order = in_order
        self._next = 0
        self._walking = True
        self._stopped = False
        self._tail_may_go = True
        self._open: set[Cut] = set()
        self._refill: list[Cut] = []

    @property
    def walking(self) -> bool:
        """True until the first group that was not there before."""
        return self._walking

    def due(self) -> list[Cut]:
        """The cuts that may be put now."""
        cuts, self._refill = self._refill, []
        if not self._stopped:
            cuts += self._walk() if self._walking else self._spread()
        self._open.update(cuts)
        return cuts

    def stored(self, cut: Cut, stop: int, *, fresh: bool) -> None:
        """The cut is stored up to `stop`; `fresh` if its object was not there before."""
        self._open.remove(cut)
        if self._walking:
            self._next = max(stop, cut.start + 1)
            self._walking = self._in_order or not fresh
        elif stop < cut.stop:
            self._refill.append(Cut(stop, cut.stop))

    def failed(self, cut: Cut, *, free: bool = False) -> None:
        """The cut is not stored; `free` if its key was seen to be free."""
        self._open.remove(cut)
        if self._walking and free and not self._in_order:
            self._walking = False
            self._next = cut.stop
        elif self._walking:
            self._stopped = True
        self._tail_may_go = False

    def _end(self) -> int:
        """Where a group that begins at `_next` ends: at the first edge by which it is full."""
        return self._edges.at_or_after(min(self._next + self._size, self._length))

    def _walk(self) -> list[Cut]:
        if self._open or self._next >= self._length:
            return []
        return [Cut(self._next, self._end())]

    def _spread(self) -> list[Cut]:
        cuts = []
        while self._next + self._size <= self._length:
            cuts.append(Cut(self._next, self._end()))
            self._next = cuts[-1].stop
        if self._next < self._length and self._tail_may_go and not (cuts or self._open or self._refill):
            cuts.append(Cut(self._next, self._length))
            self._next = self._length
        return cuts
