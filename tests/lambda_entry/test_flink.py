"""The program of the Managed Flink application: the settings reach the SQL, and its statements reach Flink in order."""

from __future__ import annotations

import json
import re

import pytest

from lambda_entry.flink.main import main, read_settings, statements
from tests.cloud.parsed_template import ROOT
from tests.cloud.resolved_template import properties_of, references

SQL = (ROOT / "lambda_entry" / "flink" / "windows.sql").read_text(encoding="utf-8")


class Tables:
    """Stands for a table environment of PyFlink; writes down what it is given."""

    def __init__(self):
        self.options, self.executed = {}, []

    def get_config(self):
        return self

    def set(self, name, value):
        self.options[name] = value

    def execute_sql(self, statement):
        self.executed.append(statement)


@pytest.fixture
def properties(tmp_path):
    """The file that Managed Flink makes of the properties in the template."""
    found = properties_of("FlinkApplication", references("packed", Bucket="acme", CreateFlink="true"))
    groups = found["ApplicationConfiguration"]["EnvironmentProperties"]["PropertyGroups"]
    (tmp_path / "application_properties.json").write_text(json.dumps(groups))
    return tmp_path / "application_properties.json"


def test_the_statements_run_in_order_with_the_settings_of_the_template(properties):
    tables = Tables()
    main(tables, properties)
    assert tables.options == {"table.exec.source.idle-timeout": "60 s"}
    assert [text.split("(")[0].split("\n")[0].strip() for text in tables.executed] == [
        "CREATE TABLE trucks",
        "CREATE TABLE truck_windows",
        "INSERT INTO truck_windows",
    ]
    source, sink, _ = tables.executed
    assert "'stream.arn' = 'arn:aws:kinesis:us-east-1:000000000000:stream/truck-sensor-stream'" in source
    assert "'aws.region' = 'us-east-1'" in source
    assert "'source.init.position' = 'LATEST'" in source
    assert "'path' = 's3a://acme/stream_windows/'" in sink


def test_the_template_has_each_setting_of_the_sql_and_no_other(properties):
    assert set(read_settings(properties)) == set(re.findall(r"\$\{(\w+)\}", SQL))


def test_comments_are_left_out_and_a_missing_setting_is_named():
    assert list(statements("-- of ${nothing}\nSELECT ${a};\n\nSELECT\n  2;\n", {"a": "1"})) == [
        "SELECT 1",
        "SELECT\n  2",
    ]
    with pytest.raises(KeyError, match="a"):
        list(statements("SELECT ${a};\n", {}))
