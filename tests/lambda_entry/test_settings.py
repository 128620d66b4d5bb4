"""Environment variables configure the Batcher, and errors name the variable and how to set it."""

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from lambda_entry import alert_settings, handler, settings
from lambda_entry.settings import read_batcher
from truckstream import lambda_function
from truckstream.errors import ConfigurationError
from truckstream.record import TruckRecord

MEMORY = {"STORE_URL": "memory:///"}


class Mine(msgspec.Struct):
    n: int


@pytest.fixture
def made(monkeypatch):
    """Return the arguments with which the Batcher is created."""
    arguments = {}
    monkeypatch.setattr(settings, "Batcher", lambda store, **options: arguments.update(options, store=store))
    return arguments


def test_without_settings_the_batchers_defaults_apply(made):
    read_batcher({"BUCKET_NAME": "trucks"})
    assert made == {
        "store": "s3://trucks",
        "prefix": "sensor_data",
        "rejected_prefix": "rejected",
        "batch_size": 700,
        "layout": "flat",
        "event_time": None,
        "format": "ndjson",
        "compression": None,
        "schema": TruckRecord,
        "max_in_flight": 16,
        "max_bytes_in_flight": 16_777_216,
        "second_target": None,
        "encryption": None,
        "kms_key_id": None,
        "storage_class": None,
        "region_name": None,
        "endpoint_url": None,
    }


@pytest.mark.parametrize(
    ("variables", "arguments"),
    [
        ({"STORE_URL": "s3://lake/raw", "BUCKET_NAME": "trucks"}, {"store": "s3://lake/raw"}),
        ({"BATCH_SIZE": "auto"}, {"batch_size": "auto"}),
        ({"BATCH_SIZE": "50"}, {"batch_size": 50}),
        ({"FORMAT": "parquet", "LAYOUT": "hive"}, {"format": "parquet", "layout": "hive"}),
        ({"LAYOUT": "hive", "EVENT_TIME": "timestamp"}, {"layout": "hive", "event_time": "timestamp"}),
        ({"COMPRESSION": "zstd"}, {"compression": "zstd"}),
        ({"COMPRESSION": "none"}, {"compression": None}),
        ({"COMPRESSION": "", "PREFIX": ""}, {"compression": None, "prefix": "sensor_data"}),
        ({"SCHEMA": "none"}, {"schema": None}),
        ({"SCHEMA": f"{__name__}:Mine"}, {"schema": Mine}),
        ({"MAX_IN_FLIGHT": "4", "MAX_BYTES_IN_FLIGHT": "5"}, {"max_in_flight": 4, "max_bytes_in_flight": 5}),
        ({"ENCRYPTION": "aws:kms", "KMS_KEY_ID": "k"}, {"encryption": "aws:kms", "kms_key_id": "k"}),
        ({"STORAGE_CLASS": "INTELLIGENT_TIERING"}, {"storage_class": "INTELLIGENT_TIERING"}),
        ({"AWS_DEFAULT_REGION": "eu-west-1"}, {"region_name": "eu-west-1"}),
        ({"AWS_DEFAULT_REGION": "eu-west-1", "AWS_REGION": "us-east-1"}, {"region_name": "us-east-1"}),
        ({"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_S3": "http://b"}, {"endpoint_url": "http://b"}),
    ],
)
def test_each_variable_reaches_the_batcher(variables, arguments, made, monkeypatch):
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or SimpleNamespace(Mine=Mine))
    read_batcher({"BUCKET_NAME": "trucks"} | variables)
    assert {name: made[name] for name in arguments} == arguments


@pytest.mark.parametrize(
    ("variables", "setting", "hint"),
    [
        ({"STORE_URL": ""}, "BUCKET_NAME", "Set BUCKET_NAME"),
        ({"STORE_URL": "ftp://x"}, "STORE_URL", "s3://bucket"),
        ({"BATCH_SIZE": "lots"}, "BATCH_SIZE", "such as 700, or to auto"),
        ({"BATCH_SIZE": "0"}, "BATCH_SIZE", "up to 10,000"),
        ({"BATCH_SIZE": "10001"}, "BATCH_SIZE", "up to 10,000"),
        ({"LAYOUT": "deep"}, "LAYOUT", "flat or hive"),
        ({"FORMAT": "csv"}, "FORMAT", "ndjson, json or parquet"),
        ({"FORMAT": "parquet", "COMPRESSION": "gzip"}, "COMPRESSION", "zstd"),
        ({"FORMAT": "parquet", "SCHEMA": "none"}, "SCHEMA", "columns"),
        ({"COMPRESSION": "lz4"}, "COMPRESSION", "gzip, zstd or none"),
        ({"SCHEMA": "trucks"}, "SCHEMA", "module:name"),
        ({"SCHEMA": "nowhere:Mine"}, "SCHEMA", "module:name"),
        ({"SCHEMA": "math:Mine"}, "SCHEMA", "module:name"),
        ({"SCHEMA": "math:pi"}, "SCHEMA", "msgspec"),
        ({"MAX_IN_FLIGHT": "0"}, "MAX_IN_FLIGHT", "above 0"),
        ({"MAX_BYTES_IN_FLIGHT": "1e6"}, "MAX_BYTES_IN_FLIGHT", "above 0"),
        ({"ENCRYPTION": "rot13"}, "ENCRYPTION", "AES256, aws:kms or aws:kms:dsse"),
        ({"ENCRYPTION": "AES256"}, "ENCRYPTION", "Only S3"),
        ({"STORE_URL": "s3://b", "ENCRYPTION": "AES256", "KMS_KEY_ID": "k"}, "KMS_KEY_ID", "aws:kms"),
        ({"PREFIX": "a", "REJECTED_PREFIX": "a"}, "REJECTED_PREFIX", "must lie outside of prefix"),
        ({"PREFIX": "a//b"}, "PREFIX", "names of folders"),
        ({"LAYOUT": "hive", "EVENT_TIME": "time"}, "EVENT_TIME", "a field of the records: truck_id"),
        ({"EVENT_TIME": "timestamp"}, "EVENT_TIME", 'needs layout "hive"'),
    ],
)
def test_an_error_names_the_variable_and_how_to_set_it(variables, setting, hint):
    with pytest.raises(ConfigurationError) as caught:
        read_batcher(MEMORY | variables)
    assert caught.value.setting == setting
    assert hint in caught.value.hint
    assert str(caught.value).startswith(f"{setting} is ")


def test_the_handlers_docstring_names_every_variable():
    named = set(re.findall(r"\b[A-Z][A-Z0-9_]{5,}\b", handler.__doc__))
    text = "".join(
        Path(module.__file__).read_text(encoding="utf-8")
        for module in (settings, alert_settings, handler, lambda_function.handler)
    )
    read = set(re.findall(r'"([A-Z][A-Z0-9_]{5,})"', text)) - {"AES256", "AWS_LAMBDA_FUNCTION_NAME"}
    assert read <= named
    assert {"BUCKET_NAME", "MAX_IN_FLIGHT", "LOG_LEVEL", "ALERT_RULES", "ALERT_TOPIC"} <= read


async def test_opensearch_is_a_second_target(made):
    read_batcher({**MEMORY, "OPENSEARCH_URL": "http://127.0.0.1:9200", "OPENSEARCH_INDEX": "fleet"})
    sink = made["second_target"]
    assert repr(sink) == "<OpenSearchSink fleet at http://127.0.0.1:9200, 0 written>"
    await sink.close()


def test_without_opensearch_py_the_setting_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "truckstream.search", None)
    with pytest.raises(ConfigurationError, match=r"OPENSEARCH_URL is set, and truckstream\.search is not installed"):
        read_batcher({**MEMORY, "OPENSEARCH_URL": "http://127.0.0.1:9200"})
