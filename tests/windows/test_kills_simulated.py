"""A worker is killed or paused at each operation that leaves its process, while the stream is split and merged.

The results of an idempotent sink are those that follow from the records: nothing is lost, nothing counts twice. A few
of the operations are played by the plain suite, all of them with `pytest -m slow`.
"""

import asyncio

import pytest

from tests.consumer.worker_group import with_workers
from tests.windows.simulated import Killer, Simulation, use_virtual_clock
from tests.windows.support import plan_of
from truckstream.windows import Tumbling

#: The history without a kill has some more operations.
OPERATIONS = 90
FEW = {1, 3, 4, 5, 19, 20, 24, 26, 31, 34, 36, 40}


async def play(simulation):
    """Put records, split, put more, merge, put more. A second worker comes when the first one is struck."""
    simulation.begin_worker()
    helped = woken = False
    for step in range(60):
        if step < 12:
            simulation.put(5)
        if step == 4:
            simulation.stream.split(simulation.open_shards()[0])
        if step == 8:
            simulation.stream.merge(*simulation.open_shards())
        await asyncio.sleep(1)
        if simulation.killer.victim and not helped:
            helped = simulation.begin_worker() is not None
            struck_at = step
        if helped and step == struck_at + 8 and not woken:
            simulation.killer.wake()
            woken = True
        if step >= 12 and simulation.is_finished and (woken or not helped):
            await asyncio.sleep(3)  # a second row would come now
            return
    raise AssertionError(f"not finished after {simulation.killer.operation}")


def cases():
    yield pytest.param(None, "kill before", id="undisturbed")
    for mode in ("kill before", "kill after", "pause"):
        for at in range(1, OPERATIONS + 1):
            yield pytest.param(at, mode, id=f"{mode}-{at}", marks=[] if at in FEW else [pytest.mark.slow])


@pytest.mark.parametrize(("at", "mode"), [*cases()])
@with_workers
async def test_nothing_is_lost_or_counted_twice(at, mode, monkeypatch):
    use_virtual_clock(monkeypatch)
    simulation = Simulation(plan_of(Tumbling(2), allowed_lateness=1_000), killer=Killer(at, mode))
    await play(simulation)
    assert simulation.found() == simulation.expected(size=2)
    if at is None:
        assert len(simulation.killer.operations) > OPERATIONS
        assert len(simulation.states.states) == 1, "states that nobody needs were not deleted"
    else:
        assert simulation.killer.victim == "worker-1"
