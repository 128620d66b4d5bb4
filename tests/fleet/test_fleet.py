"""Fleet: its arguments, its order in time, its seed, and its pace on a virtual clock."""

import asyncio
import hashlib
import itertools
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest

from tests import virtual_time
from tests.sample_record import SAMPLE
from truckstream import fleet as fleet_module
from truckstream.errors import InvalidArgumentError
from truckstream.fleet import Fleet
from truckstream.record import TruckRecord

START = datetime(2025, 1, 15, 14, 30, 25, tzinfo=UTC)


def digest(fleet, count=3_000):
    return hashlib.sha256(b"\n".join(report.data for report in fleet.take(count))).hexdigest()


# --- Order and time -------------------------------------------------------------------------------


def test_trucks_report_in_turn_and_are_numbered():
    assert [report.truck_id for report in Fleet(3, start=START).take(7)] == [
        *("TRUCK_001", "TRUCK_002", "TRUCK_003") * 2,
        "TRUCK_001",
    ]
    assert Fleet(1000).truck_ids[-1] == "TRUCK_1000"


def test_trucks_may_be_named():
    names = ["north", "süd", 'a "quoted" 100%s \\ one', "x" * 256]
    for report in Fleet(names, start=START).take(12):
        assert report.record().truck_id == report.truck_id
        assert report.truck_id in names


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (4.0, ["14:30:25"] * 4 + ["14:30:26"] * 4 + ["14:30:27"]),
        (0.5, [f"14:30:{25 + 2 * n}" for n in range(9)]),
        (None, ["14:30:25"] * 3 + ["14:30:26"] * 3 + ["14:30:27"] * 3),
    ],
)
def test_simulated_time_is_the_number_of_the_report_over_the_rate(rate, expected):
    reports = Fleet(3, rate=rate, start=START).take(9)
    assert [report.record().timestamp for report in reports] == [f"2025-01-15 {time}" for time in expected]


def test_timestamps_do_not_drift():
    """After 10,000 seconds at 3 reports a second each report has exactly its time."""
    fleet = Fleet(1, rate=3.0, start=START)
    for number, report in enumerate(fleet.take(30_000)):
        if number % 3 == 0:
            expected = START + timedelta(seconds=number // 3)
            assert report.data[37:56].decode() == expected.strftime("%Y-%m-%d %H:%M:%S")


def test_the_start_is_in_utc():
    there = datetime(2025, 1, 15, 20, 15, 25, 600_000, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    for start in (there, datetime(2025, 1, 15, 14, 30, 25, 600_000)):  # noqa: DTZ001 - that is the case
        stamps = [report.record().timestamp[-8:] for report in Fleet(1, rate=5.0, start=start).take(4)]
        assert stamps == ["14:30:25", "14:30:25", "14:30:26", "14:30:26"]


def test_the_start_is_now_by_default():
    before = datetime.now(UTC).replace(microsecond=0)
    stamp = Fleet(1).take(1)[0].record().timestamp
    assert before <= datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) <= datetime.now(UTC)


@pytest.mark.parametrize("rate", [None, 1000.0, 33.3, 0.05])
def test_each_trucks_records_are_in_time_order_and_evenly_spread(rate):
    stamps = defaultdict(list)
    for report in Fleet(10, rate=rate, start=START).take(2_000):
        stamps[report.truck_id].append(report.record().timestamp)
    assert {len(times) for times in stamps.values()} == {200}
    assert all(times == sorted(times) for times in stamps.values())


# --- Seed -----------------------------------------------------------------------------------------


def test_the_same_arguments_give_the_same_bytes():
    assert digest(Fleet(9, seed=7, invalid=0.1, start=START)) == digest(Fleet(9, seed=7, invalid=0.1, start=START))
    assert digest(Fleet(9, seed=7, start=START)) != digest(Fleet(9, seed=8, start=START))


def test_the_same_bytes_come_from_another_process():
    """Nothing depends on the hash seed of the process."""
    script = (
        "import hashlib, datetime as d; from truckstream.fleet import Fleet;"
        "f = Fleet(9, seed=7, invalid=0.1, start=d.datetime(2025, 1, 15, 14, 30, 25));"
        "print(hashlib.sha256(b'\\n'.join(r.data for r in f.take(3000))).hexdigest())"
    )
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert output.strip() == digest(Fleet(9, seed=7, invalid=0.1, start=START))


def test_a_fleet_continues_where_it_stopped():
    parts, whole = Fleet(4, start=START), Fleet(4, start=START)
    taken = parts.take(5) + list(itertools.islice(parts, 6)) + [next(iter(parts))]
    assert taken == whole.take(12)


def test_a_truck_does_not_depend_on_its_neighbours():
    """A truck with the same id and the same interval is the same truck, except for the phase of its clock."""
    alone = Fleet(["TRUCK_002"], rate=10.0, start=START).take(50)
    together = Fleet(4, rate=40.0, start=START).take(200)[1::4]
    without_time = [[r.data[56:] for r in reports] for reports in (alone, together)]
    assert without_time[0] == without_time[1]


def test_valid_data_is_compact_json_in_the_tables_order_of_about_the_samples_size():
    for report in Fleet(50, start=START).take(500):
        excess = len(report.data) - len(msgspec.json.encode(SAMPLE))
        assert -18 < excess < 12, f"{excess} bytes more than the sample: round the signals in Truck.write_signals"
        assert TruckRecord.from_json(report.record().to_json()) == report.record()
        assert report.data.count(b" ") == 1  # the one in the timestamp
        names = [pair.split(b":")[0].strip(b'{"').decode() for pair in report.data.split(b",")]
        assert names == list(TruckRecord.__struct_fields__)


# --- Pace -----------------------------------------------------------------------------------------


def paced(fleet, count, hold=lambda _: 0.0):
    """Take `count` reports on virtual time, holding each for a while; return the reports and their times."""

    async def main():
        loop, came = asyncio.get_running_loop(), []
        async for report in fleet:
            came.append((loop.time(), report))
            if len(came) == count:
                return came
            if pause := hold(len(came)):
                await asyncio.sleep(pause)
        raise AssertionError("a fleet never ends")

    return virtual_time.run(main())


@pytest.mark.parametrize("rate", [3.0, 1000.0])
def test_the_pace_is_steady_and_never_early(rate):
    came = [when for when, _ in paced(Fleet(10, rate=rate, start=START), 2_000)]
    lateness = [when - came[0] - number / rate for number, when in enumerate(came)]
    assert min(lateness) > -1e-6
    assert max(lateness) < 0.0201


def test_simulated_and_real_time_run_together():
    came = paced(Fleet(10, rate=20.0, start=START), 200)
    for when, report in came:
        stamp = datetime.strptime(report.record().timestamp, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        assert abs((stamp - START).total_seconds() - (when - came[0][0])) <= 1.0


def test_a_consumer_that_pauses_briefly_gets_all_records_that_are_due():
    came = [when for when, _ in paced(Fleet(1, rate=100.0, start=START), 300, lambda n: 0.8 if n == 100 else 0.0)]
    assert came[-1] - came[0] == pytest.approx(2.99, abs=0.01)


def test_a_consumer_that_is_too_slow_gets_every_record_and_a_bounded_burst():
    """After 30 s of silence it gets one second's reports at once, then the old rate."""
    fleet = Fleet(1, rate=100.0, start=START)
    came = paced(fleet, 500, lambda n: 30.0 if n == 100 else 0.0)
    assert [report for _, report in came] == Fleet(1, rate=100.0, start=START).take(500)
    assert max(Counter(when for when, _ in came).values()) <= 101
    assert fleet.given_up == pytest.approx(29.0, abs=0.05)
    assert came[-1][0] - came[0][0] == pytest.approx(0.99 + 30.0 + 2.99, abs=0.05)


def test_the_bytes_do_not_depend_on_the_pace():
    plain = Fleet(10, rate=50.0, seed=7, invalid=0.1, start=START).take(300)
    ragged = paced(Fleet(10, rate=50.0, seed=7, invalid=0.1, start=START), 300, lambda n: (n % 7) * 0.03)
    assert [report for _, report in ragged] == plain


def test_leaving_the_loop_loses_no_report():
    fleet, whole = Fleet(5, rate=100.0, start=START), Fleet(5, rate=100.0, start=START)
    parts = [report for _, report in paced(fleet, 7) + paced(fleet, 8)] + fleet.take(5)
    assert parts == whole.take(20)


def test_without_a_rate_other_tasks_get_their_turn():
    async def main():
        turns = 0

        async def neighbour():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(neighbour())
        count = 0
        async for _ in Fleet(10, rate=None, start=START):
            count += 1
            if count == 2_000:
                break
        task.cancel()
        return turns

    assert virtual_time.run(main()) >= 18


# --- Arguments ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [
        ({"trucks": 0}, "trucks"),
        ({"trucks": -3}, "trucks"),
        ({"trucks": True}, "trucks"),
        ({"trucks": 2.0}, "trucks"),
        ({"trucks": "TRUCK_001"}, "trucks"),
        ({"trucks": None}, "trucks"),
        ({"trucks": []}, "trucks"),
        ({"trucks": ["a", "a"]}, "trucks"),
        ({"trucks": ["a", ""]}, "trucks"),
        ({"trucks": ["a", "x" * 257]}, "trucks"),
        ({"trucks": ["a", 7]}, "trucks"),
        ({"trucks": ["a", "\ud800"]}, "trucks"),
        ({"rate": 0}, "rate"),
        ({"rate": -1.0}, "rate"),
        ({"rate": float("nan")}, "rate"),
        ({"rate": float("inf")}, "rate"),
        ({"rate": "fast"}, "rate"),
        ({"seed": 1.5}, "seed"),
        ({"seed": None}, "seed"),
        ({"invalid": -0.1}, "invalid"),
        ({"invalid": 1.1}, "invalid"),
        ({"invalid": float("nan")}, "invalid"),
        ({"start": "2025-01-15"}, "start"),
        ({"start": 0}, "start"),
    ],
    ids=str,
)
def test_an_invalid_argument_is_named_with_its_value_and_rule(arguments, argument):
    with pytest.raises(InvalidArgumentError, match=f"^{argument} is .*: must be") as caught:
        Fleet(**arguments)
    assert caught.value.argument == argument


@pytest.mark.parametrize("count", [-1, 1.5, True, None])
def test_an_invalid_count_is_named(count):
    with pytest.raises(InvalidArgumentError, match="count"):
        Fleet().take(count)


def test_the_repr_describes_the_fleet():
    assert repr(Fleet(100, rate=1000, seed=7)) == "Fleet(100 trucks, 1,000 reports/s, seed 7, 0.00% invalid)"
    assert repr(Fleet(1, rate=None, invalid=0.02)) == "Fleet(1 trucks, as fast as it can, seed 0, 2.00% invalid)"


def test_the_public_names_exist():
    assert all(hasattr(fleet_module, name) for name in fleet_module.__all__)
