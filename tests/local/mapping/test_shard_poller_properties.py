"""For all outcomes of a function, each record is settled once, in order, and delivered until then."""

import hypothesis.strategies as st
from hypothesis import given, settings

from tests.local.support import FAILED, SUCCEEDED, PolledShard, progressed

#: Outcomes of an invocation: success, failure, or a failure from a fraction of the batch on.
outcomes = st.one_of(st.just("ok"), st.just("fail"), st.floats(0, 1))


@settings(max_examples=100)
@given(
    writes=st.lists(st.integers(0, 9), min_size=1, max_size=6),
    script=st.lists(outcomes, max_size=30),
    batch_size=st.integers(1, 7),
    retries=st.integers(-1, 3),
    bisect=st.booleans(),
    tail=st.sampled_from(["alone", "topped up", "either"]),
)
def test_each_record_is_settled_once_and_in_order(writes, script, batch_size, retries, bisect, tail):
    shard = PolledShard(
        batch_size=batch_size, maximum_retry_attempts=retries, bisect_batch_on_function_error=bisect, tail=tail
    )
    names, settled, delivered = [], [], set()
    for second, count in enumerate(writes):
        new = [f"{second}.{number}" for number in range(count)]
        if new:
            shard.put(second, *new)
        names += new
    now, script = 10.0, list(script)
    while shard.poller.position <= len(names):
        shard.poll(now)
        batch = shard.batch(now)
        if batch is not None:
            assert 1 <= len(batch) <= batch_size
            # A batch begins with the first record that is not settled.
            assert batch == names[len(settled) : len(settled) + len(batch)]
            delivered.update(batch)
            outcome = script.pop(0) if script else "ok"
            if outcome == "ok":
                result, done = SUCCEEDED, batch
            elif outcome == "fail" or int(outcome * len(batch)) == 0:
                result, done = FAILED, []
            else:
                checkpoint = min(int(outcome * len(batch)), len(batch) - 1)
                result = progressed(checkpoint) if checkpoint else FAILED
                done = batch[:checkpoint]
            shard.settle(now, result)
            settled += done
            for given_up, _, invocations in shard.discards:
                assert invocations <= retries + 1
                settled += given_up
            shard.poller.discarded.clear()
        now = max(shard.next_time(now), now) + 0.001
    assert settled == names
    assert delivered == set(names)
    counts = shard.poller.counts
    assert counts.processed + counts.discarded == len(names)
    assert shard.poller.position == len(names) + 1
    assert retries != -1 or counts.discarded == 0
