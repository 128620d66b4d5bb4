"""The saved queries of CloudWatch Logs Insights use fields that the function's log lines have."""

import json
import os
import re
import subprocess
import sys

import pytest

from tests.batcher.support import record, truck
from tests.cloud.resolved_template import created, properties_of, references

#: Fields that CloudWatch itself adds.
OF_CLOUDWATCH = {"@timestamp", "@message"}
#: Everything in a query that is no field: commands, functions, and words between them.
WORDS = {
    *("filter", "stats", "sort", "fields", "limit", "parse", "by", "as", "desc", "like"),
    *("ispresent", "min", "sum", "count", "latest"),
}


CALLS = """
import json, sys
from lambda_entry.handler import lambda_handler

class Context:
    aws_request_id = "r-1"

    def get_remaining_time_in_millis(self):
        return 300_000

for event in json.load(sys.stdin):
    lambda_handler(event, Context())
"""


def queries():
    names = references("acme")
    found = [
        properties_of(name, names) for name, kind in created(names).items() if kind == "AWS::Logs::QueryDefinition"
    ]
    assert all(query["LogGroupNames"] == ["LogGroup"] for query in found)
    return {query["Name"].removeprefix("acme/"): query["QueryString"] for query in found}


def fields_of(query):
    """Return the fields that a query reads, without the names that it gives itself."""
    own = set(re.findall(r"\bas (\w+)", query)) | set(re.findall(r"\(\?<(\w+)>", query))
    words = set(re.findall(r"@?[A-Za-z_]\w*(?:\.\d+)?", re.sub(r"/[^/]+/", "", query)))
    return words - own - WORDS - OF_CLOUDWATCH


def logged(tmp_path, *events, store=None):
    """Return the lines that the function logs for these events, in a process of its own as in Lambda."""
    done = subprocess.run(
        [sys.executable, "-c", CALLS],
        input=json.dumps(events),
        env=os.environ | {"AWS_LAMBDA_FUNCTION_NAME": "acme", "STORE_URL": store or tmp_path.as_uri()},
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def present(line):
    """Return the names of a line's fields, as CloudWatch finds them: an element of a list has its index."""
    lists = {
        f"{name}.{index}" for name, value in line.items() if isinstance(value, list) for index in range(len(value))
    }
    return {name for name, value in line.items() if value is not None} | lists


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    """Log lines of a good call, a schema incident, and a call whose records cannot be stored."""
    folder = tmp_path_factory.mktemp("log")
    good = {"Records": [record(truck(n), n) for n in range(5)]}
    incident = {"Records": [record(b"?", n) for n in range(5, 10)]}
    file = folder / "no-directory"
    stored = logged(folder, good, incident)
    file.mkdir()
    (file / "sensor_data").write_text("in the way")
    return stored + logged(folder, good, store=file.as_uri())


def test_there_are_four_queries():
    assert set(queries()) == {"calls-by-request", "failures-by-reason", "slowest-puts", "schema-incidents"}


@pytest.mark.parametrize("name", ["calls-by-request", "failures-by-reason", "slowest-puts", "schema-incidents"])
def test_a_query_reads_fields_that_log_lines_have(lines, name):
    known = set().union(*(present(line) for line in lines))
    assert fields_of(queries()[name]) - known == set()
    assert len(fields_of(queries()[name])) >= 2


def test_a_failure_has_a_reason(lines):
    """The query takes the first word of the first cause."""
    [pattern] = re.findall(r"/(.*)/", queries()["failures-by-reason"])
    [failed] = [line for line in lines if line.get("UploadsFailed", 0) > 0]
    found = re.match(pattern.replace("(?<", "(?P<"), failed["causes"][0])
    assert found["reason"], failed["causes"]


def test_a_schema_incident_is_found(lines):
    [pattern] = re.findall(r"/(.*)/", queries()["schema-incidents"])
    assert len([line for line in lines if re.search(pattern, line["message"])]) == 1


def test_the_slowest_put_comes_first(lines):
    latencies = [line["PutLatency"] for line in lines if len(line.get("PutLatency", ())) > 0]
    assert latencies
    assert all(each == sorted(each, reverse=True) for each in latencies)
