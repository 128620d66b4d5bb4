"""Settings come from flags, the environment, .env and defaults, in this order; errors name setting and rule."""

import os
from pathlib import Path

import pytest

from truckstream.config import EXPORTED_VARIABLES, SETTINGS, export_aws_settings, load_settings, read_dotenv
from truckstream.errors import ConfigurationError

ROOT = Path(__file__).parent.parent


def test_flags_precede_the_environment_then_dotenv_then_defaults():
    dotenv = {"STREAM_NAME": "from-dotenv", "BUCKET_NAME": "from-dotenv", "AWS_REGION": "eu-west-1"}
    environ = {"STREAM_NAME": "from-environ", "BUCKET_NAME": "from-environ"}
    settings = load_settings({"stream_name": "from-flag"}, environ=environ, dotenv=dotenv)
    assert (settings.stream_name, settings.bucket_name, settings.region) == ("from-flag", "from-environ", "eu-west-1")
    nothing = load_settings(environ={}, dotenv={})
    assert (nothing.stream_name, nothing.bucket_name, nothing.region) == ("truck-sensor-stream", None, None)


def test_the_regions_second_variable_counts_and_empty_values_do_not():
    settings = load_settings(environ={"AWS_REGION": " ", "AWS_DEFAULT_REGION": "us-gov-west-1"}, dotenv={})
    assert settings.region == "us-gov-west-1"


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("AWS_REGION", "us-east", "an AWS region such as us-east-1"),
        ("STREAM_NAME", "my stream", "a stream's name"),
        ("STREAM_NAME", "s" * 129, "a stream's name"),
        ("BUCKET_NAME", "My_Bucket", "a bucket's name"),
        ("BUCKET_NAME", "ab", "a bucket's name"),
    ],
)
def test_a_malformed_value_is_named_with_its_source_and_rule(variable, value, words):
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environ={variable: value}, dotenv={})
    assert f"(from {variable} in the environment)" in str(caught.value)
    assert repr(value) in str(caught.value)
    assert words in str(caught.value)


def test_a_streams_arn_is_accepted_as_its_name():
    arn = "arn:aws:kinesis:us-east-1:123456789012:stream/truck-sensor-stream"
    assert load_settings({"stream_name": arn}, environ={}, dotenv={}).stream_name == arn


def test_the_example_file_sets_every_setting_to_a_valid_value():
    example = read_dotenv(ROOT / ".env.example")
    settings = load_settings(environ={}, dotenv=example)
    assert all(getattr(settings, row.name) is not None for row in SETTINGS)


def test_a_dotenv_file_is_read_and_an_unreadable_one_is_named(tmp_path):
    file = tmp_path / ".env"
    assert read_dotenv(file) == {}
    file.write_text('export STREAM_NAME="quoted"  # with a comment\nEMPTY\n', encoding="utf-8")
    assert read_dotenv(file) == {"STREAM_NAME": "quoted"}
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match=r"\.env cannot be read"):
        read_dotenv(file)


def test_aws_variables_reach_the_aws_libraries_unless_the_environment_has_them(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    export_aws_settings({"AWS_PROFILE": "theirs", "AWS_SECRET_ACCESS_KEY": "key", "OTHER": "x"})
    assert (os.environ["AWS_PROFILE"], os.environ["AWS_SECRET_ACCESS_KEY"]) == ("mine", "key")
    assert "OTHER" not in os.environ
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KINESIS", "AWS_CA_BUNDLE", "HTTPS_PROXY"])
def test_a_dotenv_file_cannot_redirect_the_calls_to_aws(variable, monkeypatch):
    """The file may come with somebody else's checkout, and the calls carry credentials."""
    monkeypatch.delenv(variable, raising=False)
    export_aws_settings({variable: "http://attacker.example"})
    assert variable not in os.environ


def test_the_page_names_every_variable_that_is_read_from_dotenv():
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    section = page.split("## Configuration")[1].split("The Lambda function reads")[0]
    read = {*EXPORTED_VARIABLES, *(variable for row in SETTINGS for variable in row.variables)}
    assert {variable for variable in read if f"`{variable}`" not in section} == set()
