"""Log lines in JSON, and the metrics of each call."""

import json
import logging

import pytest

from tests.batcher.support import ARRIVAL, ScriptedStore, Small, numbers, small
from truckstream.batcher import Batcher, Result
from truckstream.lambda_function.logs import JsonLines, report
from truckstream.metrics import FUNCTION_METRICS


@pytest.fixture
def lines():
    """Return the log lines written so far, decoded."""
    written = []
    handler = JsonLines(written.append)
    handler.request_id = "request-7"
    handler.install("INFO")
    yield lambda: [json.loads(line) for line in written]
    handler.uninstall()


async def processed(*records, store=None):
    return await Batcher(store or ScriptedStore(), batch_size=10, schema=Small).process(records)


def write(result, lines):
    report(result, function_name="trucks", now=ARRIVAL + 2.5)
    return lines()[-1]


async def test_a_call_logs_one_line_with_every_metric_and_its_unit(lines):
    line = write(await processed(*numbers(15), small(15, good=False)), lines)
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == ("Truckstream", [["FunctionName"]])
    assert directive["Metrics"] == [{"Name": metric.name, "Unit": metric.unit} for metric in FUNCTION_METRICS]
    assert line["_aws"]["Timestamp"] == int((ARRIVAL + 2.5) * 1000)
    assert {name: line[name] for name in ("FunctionName", "request_id", "level", "first_failed", "causes")} == {
        "FunctionName": "trucks",
        "request_id": "request-7",
        "level": "INFO",
        "first_failed": None,
        "causes": [],
    }
    received, stored = line["RecordsReceived"], line["RecordsStored"]
    assert (received, stored, line["RecordsRejected"], line["RecordsNotStored"]) == (16, 15, 1, 0)
    assert (line["ObjectsCreated"], line["ObjectsAdopted"], line["UploadsFailed"]) == (3, 0, 0)
    assert (line["OldestRecordAge"], len(line["PutLatency"])) == (2500, 3)
    assert line["message"] == "16 of 16 records stored, 1 of them as rejected records"


async def test_the_records_of_a_call_add_up(lines):
    store = ScriptedStore(lambda verb, _: OSError("503") if verb == "put" and len(store.puts()) == 2 else None)
    line = write(await processed(*numbers(30), store=store), lines)
    assert line["RecordsReceived"] == line["RecordsStored"] + line["RecordsRejected"] + line["RecordsNotStored"]
    assert (line["UploadsFailed"], line["level"]) == (1, "WARNING")
    assert line["causes"] != []
    assert line["first_failed"] is not None


async def test_adopted_objects_are_counted_apart_from_created_ones(lines):
    store = ScriptedStore()
    await processed(*numbers(15), store=store)
    line = write(await processed(*numbers(20), store=store), lines)
    assert (line["ObjectsCreated"], line["ObjectsAdopted"], line["RecordsAdopted"]) == (1, 2, 15)
    assert line["BytesStored"] == sum(len(b'{"n":%d}\n' % n) for n in range(15, 20))


def test_a_call_without_records_logs_no_age_and_no_latency(lines):
    line = write(Result(), lines)
    assert "OldestRecordAge" not in line
    assert "PutLatency" not in line
    names = {metric["Name"] for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert names == {metric.name for metric in FUNCTION_METRICS} - {"OldestRecordAge", "PutLatency"}


def test_of_more_than_100_puts_the_slowest_are_logged(lines):
    line = write(Result(put_seconds=tuple(n / 1000 for n in range(150))), lines)
    assert line["PutLatency"] == [float(n) for n in range(149, 49, -1)]


def test_the_age_is_not_negative_if_the_clock_is_behind(lines):
    assert write(Result(oldest_arrival=ARRIVAL + 9), lines)["OldestRecordAge"] == 0


def test_lines_of_other_loggers_have_the_request_id_and_their_exception(lines):
    error = ValueError("käse")
    logging.getLogger("truckstream.batcher").error("a %s", "b", exc_info=error)
    (line,) = lines()
    assert (line["message"], line["level"], line["logger"]) == ("a b", "ERROR", "truckstream.batcher")
    assert line["request_id"] == "request-7"
    assert "ValueError: käse" in line["exception"]


def test_text_that_utf_8_cannot_encode_is_logged(lines):
    record = logging.LogRecord("truckstream.batcher", logging.ERROR, "", 0, "käse \ud800", None, None)
    (handler,) = (one for one in logging.getLogger("truckstream").handlers if isinstance(one, JsonLines))
    handler.emit(record)  # called directly, because pytest's log capture cannot encode this text
    (line,) = lines()
    assert line["message"].startswith("käse ")


def test_a_message_with_line_breaks_stays_one_line(lines):
    logging.getLogger("truckstream.batcher").warning("two\nlines %s", {"a": object})
    (line,) = lines()
    assert line["message"].startswith("two\nlines")


@pytest.mark.parametrize(("level", "effective"), [("DEBUG", 10), ("ERROR", 40), ("LOUD", 20)])
def test_an_unknown_level_becomes_info(level, effective):
    handler = JsonLines(lambda _: None)
    handler.install(level)
    try:
        assert logging.getLogger("truckstream.batcher").getEffectiveLevel() == effective
    finally:
        handler.uninstall()
    assert logging.getLogger("truckstream").propagate
