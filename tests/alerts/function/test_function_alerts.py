"""Alerts inside the function: incidents last from call to call, in whatever container, and never fail a delivery."""

import asyncio
import logging

import pytest

from lambda_entry.alert_settings import read_alerts
from tests.alerts.support import START, record, turns
from tests.batcher.support import aggregate
from tests.batcher.support import record as event_record
from truckstream.alerts import read_rules
from truckstream.alerts.function.function_alerts import FunctionAlerts
from truckstream.alerts.function.function_rules import function_rules
from truckstream.alerts.shard.state_store import AlertStateStore
from truckstream.errors import AlertTargetError, ConfigurationError, InvalidArgumentError

RULES = read_rules("""
[rules.urgent]
kind = "health"
end_hold = "20s"
""")
TOPIC = "arn:aws:sns:us-east-1:123456789012:alerts"


class ModelTopic:
    name = "model"
    batch = 10

    def __init__(self):
        self.sent = []
        self.failures = 0

    async def send(self, events):
        if self.failures:
            self.failures -= 1
            raise AlertTargetError("Throttling", "")
        self.sent += events
        return []


@pytest.fixture
def topic():
    return ModelTopic()


def call(folder, topic, *seconds, health="URGENT", seconds_left=60.0, data=None):
    """One call in a container of its own."""

    async def main():
        records = [
            event_record(
                record("A", second, health_status=health) if data is None else data, second, arrival=START + second
            )
            for second in seconds
        ]
        alerts = FunctionAlerts(RULES, AlertStateStore(folder), topic)
        await alerts.process(records, asyncio.get_running_loop().time() + seconds_left)

    asyncio.run(main())


def test_an_incident_lasts_from_call_to_call(tmp_path, topic):
    call(tmp_path, topic, 0, 5)
    call(tmp_path, topic, 10, 15)
    assert turns(topic.sent) == [("urgent", "A", "begun", 0, None)]
    call(tmp_path, topic, 20, 25, health="NORMAL")
    call(tmp_path, topic, 30, 40, health="NORMAL")
    assert turns(topic.sent)[1:] == [("urgent", "A", "ended", 0, 20)]


def test_a_redelivery_sends_nothing_again(tmp_path, topic):
    for _ in range(3):
        call(tmp_path, topic, 0, 5)
    assert len(topic.sent) == 1


def test_an_event_that_the_topic_does_not_accept_is_sent_by_a_later_call(tmp_path, topic, caplog):
    topic.failures = 3
    call(tmp_path, topic, 0)
    assert topic.sent == []
    assert "model fails; 1 alerts wait for the next call: Throttling" in caplog.text
    call(tmp_path, topic, 5)
    assert turns(topic.sent) == [("urgent", "A", "begun", 0, None)]
    call(tmp_path, topic, 10)
    assert len(topic.sent) == 1


def test_a_failure_that_passes_is_tried_again_in_the_same_call(tmp_path, topic):
    topic.failures = 1
    call(tmp_path, topic, 0)
    assert len(topic.sent) == 1


def test_records_of_aggregates_are_evaluated(tmp_path, topic):
    data = aggregate(record("B", 0), record("A", 0, health_status="URGENT"))
    call(tmp_path, topic, 0, data=data)
    assert turns(topic.sent) == [("urgent", "A", "begun", 0, None)]


@pytest.mark.parametrize("data", [b" ", b"not json", b"\xf3\x89\x9a\xc2broken"])
def test_records_that_nobody_can_read_are_no_reports(tmp_path, topic, data):
    call(tmp_path, topic, 0, data=data)
    assert topic.sent == []


def test_a_state_that_cannot_be_kept_is_logged_and_fails_no_call(tmp_path, topic, caplog):
    (tmp_path / "truck-sensor-stream").write_text("a file in place of a directory")
    call(tmp_path, topic, 0)
    assert "alerts: 1 records are not evaluated, or their state is not stored: " in caplog.text


def test_a_damaged_state_is_logged_and_fails_no_call(tmp_path, topic, caplog):
    call(tmp_path, topic, 0)
    [state] = [path for path in tmp_path.rglob("*") if path.is_file()]
    state.write_bytes(b"\x00")
    call(tmp_path, topic, 5)
    assert "the state of the alerts is damaged" in caplog.text


class BrokenTopic(ModelTopic):
    async def send(self, _events):
        raise ValueError("a defect\nof two lines")


def test_a_defect_is_logged_and_fails_no_call(tmp_path, caplog):
    call(tmp_path, BrokenTopic(), 0)
    assert "ValueError: a defect\\nof two lines" in caplog.text


def test_a_store_that_hangs_ends_no_call_late(tmp_path, topic, caplog, monkeypatch):
    async def hang(*_):
        await asyncio.Event().wait()

    monkeypatch.setattr(AlertStateStore, "read", hang)
    call(tmp_path, topic, 0, seconds_left=5.05)
    assert "1 records are not evaluated, or their state is not stored: TimeoutError" in caplog.text


def test_with_too_little_time_nothing_is_begun(tmp_path, topic, caplog):
    call(tmp_path, topic, 0, seconds_left=3.0)
    assert topic.sent == []
    assert "alerts: too little time is left, so that 1 records are not evaluated" in caplog.text


def test_each_event_is_a_log_line_with_the_event(tmp_path, caplog):
    with caplog.at_level(logging.INFO, "truckstream.alerts"):
        call(tmp_path, None, 0)
    [line] = caplog.records
    assert (line.levelno, line.message) == (logging.ERROR, "A: health_status is URGENT (urgent)")
    assert line.fields["alert"].state == "begun"


# --- Rules and settings ---------------------------------------------------------------------------


def test_a_rule_about_silence_is_refused_with_what_to_do():
    with pytest.raises(ConfigurationError) as failure:
        function_rules('[rules.quiet]\nkind = "silence"', "ALERT_RULES my_rules:RULES")
    assert str(failure.value) == (
        "ALERT_RULES my_rules:RULES: rule 'quiet' has the kind silence, and the function runs only when records come, "
        "so that it cannot find silence. Remove the rule here, and run `truckstream alerts` with it."
    )


def test_the_default_rules_of_the_function_are_those_that_work_there():
    names = [rule.name for rule in function_rules(None, "").rules]
    assert names == ["urgent-health", "engine-hot", "oil-pressure-low", "fuel-low", "tyre-loss"]


def test_without_rules_there_are_no_alerts():
    assert read_alerts({}) is None
    assert read_alerts({"ALERT_RULES": "", "BUCKET_NAME": "trucks"}) is None


def test_the_settings_make_alerts(tmp_path, monkeypatch):
    (tmp_path / "my_rules.py").write_text("RULES = '[rules.hot]\\nkind = \"health\"'\nNUMBER = 3\n")
    monkeypatch.syspath_prepend(tmp_path)
    given = {"STORE_URL": tmp_path.as_uri(), "ALERT_TOPIC": TOPIC}
    assert repr(read_alerts({**given, "ALERT_RULES": "my_rules:RULES"})) == f"FunctionAlerts(hot, sns {TOPIC})"
    assert "log lines only" in repr(read_alerts({"STORE_URL": "memory:///", "ALERT_RULES": "default"}))
    for value in ("my_rules:NUMBER", "my_rules:NONE", "no_module:RULES", "my_rules"):
        with pytest.raises(ConfigurationError, match="ALERT_RULES is "):
            read_alerts({**given, "ALERT_RULES": value})
    with pytest.raises(InvalidArgumentError, match="ALERT_TOPIC is 'x'"):
        read_alerts({"STORE_URL": "memory:///", "ALERT_RULES": "default", "ALERT_TOPIC": "x"})
