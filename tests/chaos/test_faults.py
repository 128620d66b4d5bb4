"""The producer against a faulty service: acknowledged records are stored, in order, and every copy is reported.

Each test runs the history of its seed: `pytest tests/chaos --chaos-seeds 7 --chaos-records 1000000` runs
another or a longer one. The service runs in its own process.
"""

import pytest

from tests.chaos.support import MODES, ProducerHistory, on_put
from truckstream.local import Credentials, Fault, FaultPlan, LocalKinesis

pytestmark = [pytest.mark.usefixtures("fake_credentials"), pytest.mark.timeout(600)]


#: The faults. A rate is a share of the records for the first three plans, else of the requests.
PLANS = {
    "throttles": [on_put("throttle", rate=0.3)],
    "internal failures": [on_put("internal-failure", rate=0.15), on_put("internal-failure-after", rate=0.15)],
    "storms of internal failures": [
        on_put("internal-failure", after=0.1, until=1.0),
        on_put("internal-failure-after", rate=0.4, after=1.0),
    ],
    "errors": [
        on_put("error-before", rate=0.1),
        on_put("error-after", rate=0.1, status=503),
        on_put("error-before", rate=0.05, status=502),
        on_put("error-after", rate=0.05, status=504),
    ],
    "resets": [on_put(f"reset-{where}", rate=0.05) for where in ("before", "request", "after", "answer")],
    "slow answers": [
        on_put("latency", rate=0.3, seconds=0.05, jitter=0.3),
        on_put("latency", rate=0.02, seconds=3.0),  # past the request's timeout
        on_put("stall", count=2, skip=20),
        on_put("stall-after", count=2, skip=30),
    ],
    "clock and credentials": [
        on_put("skew", seconds=400.0, after=0.2, until=1.0),
        on_put("skew", seconds=-400.0, after=1.0),
        on_put("expired-token", rate=0.1),
    ],
    "reshards": [
        *(on_put("split", skip=skip) for skip in (10, 20, 30, 60)),
        *(on_put("merge", skip=skip) for skip in (40, 50, 70)),
        Fault("error-before", operations=("ListShards",), skip=1, count=2),
        on_put("throttle", rate=0.05),
    ],
    "everything": [
        on_put("throttle", rate=0.1),
        on_put("internal-failure", rate=0.04),
        on_put("internal-failure-after", rate=0.04),
        on_put("error-after", rate=0.03),
        on_put("error-before", rate=0.03, status=503),
        on_put("reset-after", rate=0.04),
        on_put("reset-request", rate=0.04),
        on_put("latency", rate=0.2, seconds=0.01, jitter=0.1),
        on_put("expired-token", rate=0.03),
        *(on_put("split", skip=skip) for skip in (10, 30)),
        on_put("merge", skip=50),
    ],
}

#: Each history's way of sending, its plan, and its length as a share of --chaos-records. Ordered sending runs with
#: every plan, the other ways with those that affect them differently. A key in order waits for its retries, so
#: histories with many retries are shorter.
HISTORIES = [
    ("ordered", "throttles", 0.4),
    ("ordered", "internal failures", 0.4),
    ("ordered", "storms of internal failures", 0.2),
    ("plain", "storms of internal failures", 0.3),
    ("ordered", "errors", 1.0),
    ("ordered", "resets", 1.0),
    ("ordered", "slow answers", 0.4),
    ("ordered", "clock and credentials", 1.0),
    ("ordered", "reshards", 1.0),
    ("ordered", "everything", 0.4),
    ("plain", "resets", 2.0),
    ("plain", "everything", 1.0),
    ("aggregate", "reshards", 2.0),
    ("aggregate", "everything", 2.0),
    ("ordered-aggregate", "throttles", 0.4),
    ("ordered-aggregate", "everything", 1.0),
    ("envelope", "reshards", 0.25),
    ("envelope", "everything", 1.0),
    ("ordered-envelope", "everything", 0.4),
]


#: The histories of a plain run, which take a few seconds each; the others are slow.
QUICK = {("ordered", "resets"), ("aggregate", "reshards"), ("envelope", "reshards")}


def test_every_way_of_sending_and_every_plan_is_tried_with_a_million_records(pytestconfig):
    assert {mode for mode, _, _ in HISTORIES} == set(MODES)
    assert {plan for _, plan, _ in HISTORIES} == set(PLANS)
    assert sum(share for _, _, share in HISTORIES) * pytestconfig.getoption("--chaos-records") >= 1_000_000


@pytest.mark.parametrize(
    ("mode", "plan", "share"),
    [pytest.param(*history, marks=() if history[:2] in QUICK else pytest.mark.slow) for history in HISTORIES],
)
async def test_every_outcome_is_true(mode, plan, share, seed, records):
    faults = FaultPlan(*PLANS[plan], seed=seed)
    # The service checks the time only if it checks signatures.
    known = [Credentials("testing", "testing")] if plan == "clock and credentials" else []
    async with LocalKinesis(shards=4, quotas=False, faults=faults, own_process=True, credentials=known) as kinesis:
        history = ProducerHistory(kinesis, seed, mode)
        await history.run(int(records * share))
        await history.check()
        injected = (await kinesis.stats()).faults
    assert history.stats.failed == 0
    assert (history.envelopes > 100) == ("envelope" in mode)
    assert set(injected) >= {fault.kind for fault in PLANS[plan]}, "the history is too short for its plan"
