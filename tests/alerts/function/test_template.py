"""The template's parameters of alerts: off by default, and with no permission that they do not need."""

import re

import pytest

from tests.cloud.parsed_template import PARAMETERS, TEMPLATE
from tests.cloud.resolved_template import properties_of, references


def statements(**parameters):
    role = properties_of("FunctionRole", references(**parameters))
    return {each["Sid"]: each for each in role["Policies"][0]["PolicyDocument"]["Statement"] if each}


def test_alerts_are_off_by_default():
    assert PARAMETERS["AlertRules"]["Default"] == PARAMETERS["AlertTopic"]["Default"] == ""
    assert not {"KeepTheStateOfAlerts", "PublishAlerts"} & statements().keys()


def test_alerts_may_keep_their_state_and_publish_to_their_topic():
    found = statements(AlertRules="default", AlertTopic="arn:topic")
    state, topic = found["KeepTheStateOfAlerts"], found["PublishAlerts"]
    assert state["Action"] == ["s3:GetObject", "s3:PutObject"]
    assert state["Resource"].endswith("/alerts/*")
    assert (topic["Action"], topic["Resource"]) == ("sns:Publish", "arn:topic")


def test_rules_without_a_topic_may_not_publish():
    assert "PublishAlerts" not in statements(AlertRules="default")


@pytest.mark.parametrize("value", ["", "default", "my_rules:RULES", "company.rules:TEXT"])
def test_rules_have_the_form_that_the_function_reads(value):
    assert re.fullmatch(PARAMETERS["AlertRules"]["AllowedPattern"], value)


@pytest.mark.parametrize("value", ["rules.toml", "a b", ":RULES", "default:"])
def test_other_rules_are_refused(value):
    assert not re.fullmatch(PARAMETERS["AlertRules"]["AllowedPattern"], value)


def test_the_rules_of_the_template_name_what_alerts_require():
    texts = {name: rule["Assertions"][0]["AssertDescription"] for name, rule in TEMPLATE["Rules"].items()}
    assert "ParallelizationFactor=1" in texts["Alerts"]
    assert "CreateVpc=false" in texts["AlertTopics"]
