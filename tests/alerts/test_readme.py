"""The page of the alerts agrees with the rules, the targets and the command, and its programs run."""

import inspect
import re
import tomllib
from pathlib import Path

import msgspec

from truckstream.alerts import AlertEvent, read_rules
from truckstream.alerts.rules.rule_kinds import KINDS
from truckstream.alerts.running import Alerts
from truckstream.alerts.shard.shard_alerts import CAPACITY

TEXT = (Path(__file__).parents[2] / "truckstream" / "alerts" / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_the_table_lists_the_kinds_and_their_keys():
    table = TEXT.split("<!-- kinds:")[1].split("<!-- /kinds -->")[0]
    rows = [row.split("|")[1:3] for row in table.splitlines()[3:] if row]
    listed = {kind.strip(" `"): set(re.findall(r"`(\w+)`", keys)) for kind, keys in rows}
    shared = {"kind", "severity", "hold", "end_hold"}
    assert listed == {name: set(kind.keys) - shared for name, kind in KINDS.items()}


def test_the_rule_is_valid():
    [text] = blocks("toml")
    [rule] = read_rules(text).rules
    assert set(tomllib.loads(text)["rules"]["engine-hot"]) == set(KINDS["threshold"].keys) - {"below"}
    assert (rule.hold, rule.end_hold) == (30, 60)


def test_the_event_has_the_members_of_an_event():
    [text] = blocks("json")
    event = msgspec.json.decode(text, type=AlertEvent)
    assert event.to_json().decode() == text.strip()


def test_the_figures_are_those_of_the_program():
    assert f"{CAPACITY:,} for each shard" in TEXT


def test_the_programs_are_valid(capsys):
    on_a_stream, on_reports = blocks("python")
    names = {}
    exec(on_a_stream, names)
    assert inspect.iscoroutinefunction(names["main"])
    options = set(re.findall(r"(\w+)=", on_a_stream))
    assert options <= set(inspect.signature(Alerts).parameters)
    exec(on_reports, {})
    assert "Traceback" not in capsys.readouterr().out
