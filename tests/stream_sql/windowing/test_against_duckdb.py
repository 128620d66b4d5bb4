"""Whatever order records come in, each final answer is DuckDB's answer for all records that were in time."""

from collections import Counter
from dataclasses import dataclass, field

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stream_sql.support import BASE, line, shard_record
from truckstream import TruckRecord
from truckstream.consumer.leases.lease import TRIM_HORIZON, Checkpoint
from truckstream.stream_sql.options import SqlOptions
from truckstream.stream_sql.query.changes import changes_between
from truckstream.stream_sql.query.engine import QueryEngine
from truckstream.stream_sql.records.columns import columns_of_schema
from truckstream.stream_sql.records.decoding import RecordDecoder
from truckstream.stream_sql.records.event_time import SECOND
from truckstream.stream_sql.windowing.query_windows import make_windows

SQL = """SELECT truck_id, count(*) AS n, sum(engine_rpm) AS rpm, max(speed) AS speed,
  quantile_cont(speed, 0.5) AS median
FROM records GROUP BY truck_id"""
DECODER = RecordDecoder(TruckRecord, "timestamp")
ENGINE = QueryEngine(SQL, columns_of_schema(TruckRecord), 256 * 1024 * 1024)
DATABASE = duckdb.connect()
SHARDS = ("shard-1", "shard-2")


@dataclass
class Run:
    """Feed records to open windows, as the shell does, and keep the answers."""

    options: SqlOptions
    #: The last answer for each window, made of its changes, and the windows that are final.
    answers: dict[int, Counter] = field(default_factory=dict)
    rows: dict[int, list] = field(default_factory=dict)
    final: list[int] = field(default_factory=list)
    number: int = 0

    def __post_init__(self):
        self.windows = make_windows(self.options, ENGINE.columns_read)
        for shard in SHARDS:
            self.windows.add_shard(shard, Checkpoint(TRIM_HORIZON), BASE)

    def read(self, shard, reports):
        records = []
        for second, truck, rpm in reports:
            self.number += 1
            data = line(second, truck, engine_rpm=rpm, speed=float(rpm % 100))
            records.append(shard_record(self.number, data, shard=shard))
        self.windows.add(shard, DECODER.decode(records), Checkpoint(str(self.number)), BASE + 1)

    def step(self, now=1.0):
        for asked in self.windows.step(BASE + now, with_changed=True):
            start, length = asked.window, self.options.plan.length
            rows = ENGINE.ask(start, start + length, asked.batches)
            known = self.answers.setdefault(start, Counter())
            by_key = {row[2]: row for row in self.rows.get(start, [])}
            for kind, row in changes_between(self.rows.get(start, []), rows, ENGINE.key):
                if kind != "insert":
                    known[by_key[row[2]]] -= 1
                if kind != "delete":
                    known[row] += 1
            self.rows[start] = rows
            if asked.is_final:
                assert start not in self.final, "a window is final once"
                self.final.append(start)
                self.windows.delivered(start)


REPORTS = st.lists(
    st.tuples(
        st.floats(0, 60, allow_nan=False).map(lambda x: round(x, 3)), st.sampled_from("ABC"), st.integers(0, 9999)
    ),
    max_size=6,
)
STEPS = st.lists(st.one_of(st.tuples(st.sampled_from(SHARDS), REPORTS), st.none()), max_size=14)


@settings(deadline=None, max_examples=30)
@given(STEPS, st.sampled_from([(10, None), (10, 5), (6, 2), (0.5, None)]), st.sampled_from([0.0, 2.5, 30.0]))
def test_each_final_answer_is_that_of_duckdb_for_the_records_that_were_in_time(steps, window, lateness):
    length, slide = window
    run = Run(SqlOptions(sql=SQL, window=length, slide=slide, lateness=lateness))
    plan = run.options.plan
    expected: dict[int, list] = {}
    late = 0
    for step in [*steps, None]:
        if step is None:
            run.step()
            continue
        shard, reports = step
        for second, truck, rpm in reports:
            time = BASE * SECOND + round(second * SECOND)
            windows = plan.windows_of(plan.pane_at(time))
            in_time = [start for start in windows if plan.end_of(start) > run.windows.closed_before]
            late += len(in_time) < len(windows)
            for start in in_time:
                assert start <= time < plan.end_of(start)
                expected.setdefault(start, []).append((truck, rpm))
        run.read(shard, reports)
    assert run.windows.late == late
    for shard in SHARDS:
        run.windows.reach_tip(shard, BASE + 10**6)
    run.step(10**6)
    assert sorted(run.final) == sorted(expected)
    assert (run.windows.records, run.windows.windows) == (0, 0)
    for start, reports in expected.items():
        answers = Counter({row[2:]: count for row, count in (+run.answers[start]).items()})
        assert answers == Counter(answer_of_duckdb(reports)), start


def answer_of_duckdb(reports):
    values = ", ".join(f"('{truck}', {rpm}, {float(rpm % 100)})" for truck, rpm in reports)
    return DATABASE.execute(f"WITH records (truck_id, engine_rpm, speed) AS (VALUES {values}) {SQL}").fetchall()
