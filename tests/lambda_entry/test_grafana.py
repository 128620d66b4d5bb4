"""The dashboards for Grafana show metrics that there are, and ask the named questions.

The typed models of Grafana's foundation SDK (10.1.0) read both files and lose nothing; it is no dependency here.
"""

import json
import re
from pathlib import Path

import pytest

from tests.cloud.parsed_template import TEMPLATE
from truckstream.data.query.questions import athena_sql, questions
from truckstream.metrics import METRICS

FOLDER = Path(__file__).parents[2] / "lambda_entry" / "grafana"
#: Metrics of namespaces that the dashboard leaves to CloudWatch: once a day, or of the compaction.
LEFT_OUT = {"AWS/S3", "AWS/Events"}
DIMENSIONS = {"AWS/Kinesis": {"StreamName": "$stream"}, "Truckstream": {"FunctionName": "$function"}}


def read(name):
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def targets():
    return [target for panel in read("cloudwatch.json")["panels"] for target in panel["targets"]]


def test_each_metric_is_shown_with_its_statistic():
    expected = {(each.namespace, each.name, each.statistic) for each in METRICS if each.namespace not in LEFT_OUT}
    assert {(each["namespace"], each["metricName"], each["statistic"]) for each in targets()} == expected


def test_the_dimensions_are_those_of_the_metrics():
    for target in targets():
        event_source = target["metricName"].endswith("EventCount")
        of_lambda = {"EventSourceMappingUUID": "$mapping"} if event_source else {"FunctionName": "$function"}
        assert target["dimensions"] == DIMENSIONS.get(target["namespace"], of_lambda)


def test_the_panels_of_athena_ask_the_named_questions():
    asked = {panel["title"]: panel["targets"][0]["rawSQL"] for panel in read("athena.json")["panels"]}
    assert asked == {name: athena_sql(question.sql) for name, question in questions().items()}


@pytest.mark.parametrize("name", ["cloudwatch.json", "athena.json"])
def test_a_dashboard_can_be_imported(name):
    dashboard = read(name)
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(dashboard))) - {"path"}  # a column of Athena's
    assert used == {variable["name"] for variable in dashboard["templating"]["list"]}
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard["panels"]]
    assert len(set(places)) == len(places)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in dashboard["panels"])


def test_the_defaults_are_those_of_the_template():
    defaults = {variable["name"]: variable["query"] for variable in read("cloudwatch.json")["templating"]["list"]}
    assert defaults["stream"] == TEMPLATE["Parameters"]["StreamName"]["Default"]
    assert "MappingId" in TEMPLATE["Outputs"]
