"""Results as lines, objects and records, with an identity that a repetition has again."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from truckstream.errors import UsageError
from truckstream.stream_sql.query.changes import RowChange
from truckstream.stream_sql.results import WindowAnswer
from truckstream.stream_sql.sinks.json_rows import change_lines, identified_rows, row_lines
from truckstream.stream_sql.sinks.store_sink import StoreSink, object_key

START = datetime(2026, 11, 29, 8, tzinfo=UTC)


def result(*rows, names=("truck_id", "speed"), key=(1,), start=START, seconds=10.0, changes=(), is_final=True):
    return WindowAnswer(
        window_start=start,
        window_end=start + timedelta(seconds=seconds),
        is_final=is_final,
        columns=("window_start", *names),
        key=key,
        rows=[(start.replace(tzinfo=None), *row) for row in rows],
        changes=[RowChange(kind, (start.replace(tzinfo=None), *row)) for kind, *row in changes],
    )


def test_a_row_is_a_line():
    assert row_lines(result(("A", 50.5), ("B", None))) == (
        b'{"window_start":"2026-11-29T08:00:00","truck_id":"A","speed":50.5}\n'
        b'{"window_start":"2026-11-29T08:00:00","truck_id":"B","speed":null}\n'
    )


def test_a_change_is_a_line_with_its_kind():
    lines = change_lines(result(changes=[("update", "A", 1.0), ("delete", "B", 2.0)])).splitlines()
    assert [(json.loads(line)["change"], json.loads(line)["truck_id"]) for line in lines] == [
        ("update", "A"),
        ("delete", "B"),
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1.50"), "1.50"),
        (2**70, str(2**70)),
        (float("nan"), "null"),
        (float("inf"), "null"),
        (["x", {"y": 1}], '["x",{"y":1}]'),
        ("\n\u2028", json.dumps("\n\u2028", ensure_ascii=False)),
        (b"\x00\xff", '"AP8="'),
        (object, "\"<class 'object'>\""),
    ],
)
def test_values_of_all_types_of_duckdb_become_json(value, text):
    [line] = row_lines(result(("A", value))).decode().split("\n")[:-1]
    assert line.endswith(f'"speed":{text}}}')


def test_rows_of_one_key_share_a_partition_key_and_each_window_has_its_own_identities():
    first = [*identified_rows(result(("A", 1), ("B", 2)), "query")]
    later = [*identified_rows(result(("A", 3), start=START + timedelta(seconds=10)), "query")]
    assert first[0][0] == later[0][0] != first[1][0]
    assert len({first[0][1], first[1][1], later[0][1]}) == 3
    assert json.loads(first[0][2])["result_id"] == first[0][1]


def test_a_repeated_result_has_the_same_identities_whatever_its_figures_and_its_order_are():
    one = {data[1] for data in identified_rows(result(("A", 0.1), ("B", 2)), "query")}
    again = {data[1] for data in identified_rows(result(("B", 2), ("A", 0.1000001)), "query")}
    assert one == again
    assert one.isdisjoint(data[1] for data in identified_rows(result(("A", 0.1), ("B", 2)), "other"))


def test_equal_rows_without_a_key_have_identities_of_their_own():
    rows = [*identified_rows(result(("A", 1), ("A", 1), key=None), "query")]
    assert rows[0][1] != rows[1][1]


@pytest.mark.parametrize(
    ("start", "seconds", "key"),
    [
        (START, 10, "out/window_2026-11-29T08-00-00Z_10s_12ab.json"),
        (START, 0.5, "out/window_2026-11-29T08-00-00Z_0.5s_12ab.json"),
        (START + timedelta(milliseconds=500), 0.5, "out/window_2026-11-29T08-00-00.500Z_0.5s_12ab.json"),
        (START, 86_400, "out/window_2026-11-29T08-00-00Z_86400s_12ab.json"),
        (START, 1_209_600, "out/window_2026-11-29T08-00-00Z_1209600s_12ab.json"),
    ],
)
def test_an_object_is_named_after_its_window_and_its_query(start, seconds, key):
    assert object_key(result(start=start, seconds=seconds), "12ab", "out") == key


async def test_an_object_is_created_once_and_never_overwritten(tmp_path):
    sink = StoreSink(str(tmp_path / "new"), "12ab")
    assert await sink.write(result(("A", 1))) == "created"
    assert await sink.write(result(("A", 2))) == "already there"
    [path] = (tmp_path / "new" / "windows").glob("*.json")
    assert json.loads(path.read_bytes())["speed"] == 1


async def test_an_answer_that_may_change_is_not_stored(tmp_path):
    with pytest.raises(UsageError, match="final results only"):
        await StoreSink(str(tmp_path), "12ab").write(result(("A", 1), is_final=False))
