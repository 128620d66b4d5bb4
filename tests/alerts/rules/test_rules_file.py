"""Rules are checked when they are read: an error names the rule, the key, the value, and what is allowed."""

import pytest

from truckstream.alerts import DEFAULT_RULES, default_rules, read_rules
from truckstream.alerts.rules.durations import duration_text, parse_duration
from truckstream.alerts.rules.rule_kinds import KINDS
from truckstream.errors import ConfigurationError

HOT = '[rules.hot]\nkind = "threshold"\nfield = "engine_temp"\nabove = 110\n'
ZONE = '[rules.zone]\nkind = "geofence"\nwhen = "inside"\n'


def uncommented(text):
    """The examples of the default rules, too."""
    lines = [
        line[2:] if line.startswith(("# [rules", "# kind", "# severity", "# when")) else line
        for line in text.splitlines()
    ]
    return "\n".join(line[2:] if line.startswith(("# circle", "# margin", "# polygon")) else line for line in lines)


def test_the_default_rules_and_their_examples_use_every_kind():
    assert {rule.kind for rule in read_rules(uncommented(DEFAULT_RULES)).rules} == set(KINDS)


def test_the_default_rules_are_valid():
    rules = default_rules()
    assert [rule.name for rule in rules.rules] == [
        *("urgent-health", "engine-hot", "oil-pressure-low", "fuel-low", "silent-truck", "tyre-loss"),
    ]
    assert rules.forget == 86_400


def test_a_rule_of_few_lines_has_defaults():
    [rule] = read_rules(HOT).rules
    assert (rule.severity, rule.hold, rule.end_hold, rule.limit, rule.end) == ("warning", 0, 60, 110, 110)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rules = ", "rules.toml is no TOML: Invalid value (at end of document)"),
        ("", "rules.toml has no rules. Write each as a table [rules.NAME]"),
        ("rules = 3", "rules.toml has no rules"),
        ("[rules]\nhot = 3", "rule 'hot' is 3. It must be a table: [rules.hot]"),
        (
            "ruels = 1\n" + HOT,
            "rules.toml has the unknown key 'ruels'. The keys here are forget, rules. Do you mean rules?",
        ),
        ('[rules."a b"]\nkind = "health"', "rule 'a b' has no valid name. A name has 1 to 64 letters, digits, _ and -"),
        ("[rules.hot]\nabove = 3", "rule 'hot' has no kind. Set kind to health, threshold, silence, tyre_loss or geo"),
        ('[rules.hot]\nkind = "treshold"', "rule 'hot': kind is 'treshold'. It must be health, threshold, silence, "),
        ('[rules.hot]\nkind = "treshold"', "Do you mean threshold?"),
        ("[rules.hot]\nkind = 3", "kind is 3. It must be"),
        (HOT + "hodl = 3", "rule 'hot' has the unknown key 'hodl'. The keys here are kind, severity, hold, end_hold"),
        (HOT + "hodl = 3", "Do you mean hold?"),
        (HOT + "hold = 3", 'rule \'hot\': hold is 3. It must be a time such as "30s", "5m" or "1h", at most "1d".'),
        (HOT + 'hold = "2d"', "hold is '2d'. It must be a time"),
        (HOT + 'hold = "-5s"', "hold is '-5s'. It must be a time"),
        (HOT + 'severity = "high"', "severity is 'high'. It must be info, warning or critical."),
        (HOT.replace("engine_temp", "engine_tmp"), "field is 'engine_tmp'. It must be tire_pressure_fl, "),
        (HOT.replace("110", "120"), "above is 120. It must lie within the valid values of engine_temp, 70 to 120"),
        (HOT.replace("110", "nan"), "above is nan. It must be a number."),
        (HOT.replace("110", "true"), "above is True. It must be a number."),
        (HOT.replace("110", '"110"'), "above is '110'. It must be a number."),
        (HOT + "below = 5", "rule 'hot' has no above or below. It must have one of the two, and not both."),
        (HOT.replace("above = 110", ""), "rule 'hot' has no above or below."),
        (HOT.replace('field = "engine_temp"', ""), "rule 'hot' has no field. It must be tire_pressure_fl, "),
        (HOT + "end = 111", "end is 111. It must be on the good side of above = 110, from 70 to 110."),
        (HOT.replace("above", "below") + "end = 109", "end is 109. It must be on the good side of below = 110"),
        ('[rules.u]\nkind = "health"\nstatus = "NORMAL"', "status is 'NORMAL'. It must be WARNING or URGENT."),
        ('[rules.u]\nkind = "health"\nstatus = "WARNING"\nend = "WARNING"', "end is 'WARNING'. It must be NORMAL."),
        ('[rules.s]\nkind = "silence"\nhold = "0s"', "hold is '0s'. It must be a time"),
        ('[rules.t]\nkind = "tyre_loss"', "rule 't' has no above. It must be a number, at least 0.001."),
        (
            '[rules.t]\nkind = "tyre_loss"\nabove = 1\nend = 2',
            "end is 2. It must be a number, at least 0 and at most 1.",
        ),
        ('[rules.t]\nkind = "tyre_loss"\nabove = 1\nwindow = "0s"', "window is '0s'. It must be a time"),
        (ZONE, "rule 'zone' has no circle or polygon."),
        (ZONE + "circle = 3", "circle is 3. It must be a table such as { latitude = 39.7"),
        (ZONE + "circle = { latitude = 91, longitude = 0, radius_miles = 1 }", "latitude is 91. It must be a number"),
        (ZONE + "circle = { latitude = 9, longitude = 0, radius = 1 }", "It must be a table such as"),
        (ZONE + "polygon = [[0, 0], [1, 1]]", "polygon is [[0, 0], [1, 1]]. It must be 3 to 1,000 corners"),
        (ZONE + "polygon = [[0, 0], [1, 1], [2]]", "polygon is [2]. It must be 3 to 1,000 corners"),
        (ZONE + "polygon = [[0, 0], [1, 1], [2, 181]]", "longitude is 181. It must be a number, at least -180"),
        (
            ZONE.replace("inside", "near") + "circle = { latitude = 9, longitude = 0, radius_miles = 1 }",
            "when is 'near'",
        ),
        (
            'forget = "1h"\n' + HOT + 'hold = "1h"',
            "forget is '1h'. It must be a time such as \"24h\", longer than each",
        ),
        ("forget = 5\n" + HOT, "rules.toml: forget is 5. It must be a time"),
    ],
)
def test_an_error_names_the_place_the_value_and_what_is_allowed(text, message):
    with pytest.raises(ConfigurationError) as failure:
        read_rules(text)
    assert message in str(failure.value)


def test_an_error_shows_no_control_character_of_the_file():
    with pytest.raises(ConfigurationError) as failure:
        read_rules('[rules."a\\u001b[31m"]\nkind = "health"')
    assert "\x1b" not in str(failure.value)


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("1.5h", 5400), ("5 m", 300), ("1d", 86_400), ("0s", 0)])
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "5w", "-5s", "5s ", "1e3s", "٣s"])
def test_no_durations(text):
    assert parse_duration(text) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (1.25, "1.25 s"),
        (59, "59 s"),
        (60, "1 min"),
        (250, "4 min 10 s"),
        (3601, "1 h 1 s"),
        (90_061, "1 d 1 h"),
    ],
)
def test_durations_as_text(seconds, text):
    assert duration_text(seconds) == text
