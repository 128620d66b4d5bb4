"""Settings come from flags, the environment, .env and defaults, in this order; errors name setting and rule."""

import os
from pathlib import Path

import pytest
from botocore.loaders import create_loader

from truckstream.config import (
    EXPORTED_VARIABLES,
    SETTINGS,
    export_aws_settings,
    load_command_settings,
    load_settings,
    read_dotenv,
)
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
    "names",
    [("region", "stream_name", "bucket_name"), ("REGION", "STREAM_NAME", "BUCKET_NAME")],
)
def test_lower_case_and_upper_case_variables_are_equivalent(names):
    values = dict(zip(names, ("eu-west-1", "trucks", "acme-truck-data"), strict=True))
    for source in ({"environ": values, "dotenv": {}}, {"environ": {}, "dotenv": values}):
        settings = load_settings(**source)
        found = (settings.region, settings.stream_name, settings.bucket_name)
        assert found == ("eu-west-1", "trucks", "acme-truck-data")


def test_the_environment_precedes_dotenv_whatever_the_case():
    settings = load_settings(environ={"stream_name": "from-environ"}, dotenv={"STREAM_NAME": "from-dotenv"})
    assert settings.stream_name == "from-environ"


@pytest.mark.parametrize(
    ("setting", "one", "other"),
    [
        ("stream_name", ("STREAM_NAME", "trucks"), ("stream_name", "buses")),
        ("bucket_name", ("BUCKET_NAME", "acme-trucks"), ("bucket_name", "acme-buses")),
        ("region", ("AWS_REGION", "us-east-1"), ("region", "eu-west-1")),
        ("region", ("REGION", "us-east-1"), ("region", "eu-west-1")),
    ],
)
def test_two_variables_that_contradict_each_other_in_one_source_are_an_error(setting, one, other):
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environ={}, dotenv=dict([one, other]))
    text = str(caught.value)
    assert caught.value.setting == setting
    assert all(word in text for word in (*one, *other, ".env", "Set one of them, or pass --"))
    agreeing = load_settings(environ={}, dotenv={one[0]: one[1], other[0]: one[1]})
    assert getattr(agreeing, setting) == one[1]
    assert getattr(load_settings({setting: one[1]}, environ=dict([one, other]), dotenv={}), setting) == one[1]


@pytest.fixture
def no_region(tmp_path, monkeypatch):
    """Run in an empty directory, without a region in the environment, and restore both."""
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "REGION", "region"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return tmp_path


def test_a_command_notices_variables_of_dotenv_that_contradict_each_other(no_region):
    """It also passes AWS_REGION on to the AWS libraries, through the environment."""
    (no_region / ".env").write_text("AWS_REGION=us-east-1\nregion=eu-west-1\n")
    with pytest.raises(ConfigurationError, match=r"region has different values in \.env"):
        load_command_settings()
    (no_region / ".env").write_text("AWS_REGION=us-east-1\n")
    assert load_command_settings().sources["region"] == "AWS_REGION in .env"
    assert os.environ["AWS_REGION"] == "us-east-1"


@pytest.mark.parametrize("variable", ["AWS_DEFAULT_REGION", "region"])
def test_the_aws_libraries_use_the_region_of_the_command(no_region, monkeypatch, variable):
    monkeypatch.setenv(variable, "eu-west-1")
    (no_region / ".env").write_text("AWS_REGION=us-east-1\n")
    assert load_command_settings().region == "eu-west-1"
    assert (os.environ["AWS_REGION"], os.environ["AWS_DEFAULT_REGION"]) == ("eu-west-1", "eu-west-1")


def test_aws_default_region_yields_to_the_other_variables_as_in_the_aws_libraries():
    environ = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "eu-west-1"}
    assert load_settings(environ=environ, dotenv={}).region == "us-east-1"
    assert load_settings(environ={"AWS_DEFAULT_REGION": "eu-west-1"}, dotenv={}).region == "eu-west-1"


def test_the_source_of_each_value_is_known_and_a_default_has_none():
    settings = load_settings({"stream_name": "trucks"}, environ={}, dotenv={"region": "eu-west-1"})
    assert settings.sources == {"stream_name": "--stream", "region": "region in .env"}


def regions_of_botocore():
    """Return the regions of all partitions that botocore knows, without its pseudo-regions such as aws-global."""
    partitions = create_loader().load_data("partitions")["partitions"]
    return sorted(name for row in partitions for name in row["regions"] if not name.endswith("-global"))


@pytest.mark.parametrize("region", [*regions_of_botocore(), "us-east-10", "xx-newpartition-northwest-1"])
def test_every_region_of_botocore_is_accepted_and_regions_to_come_too(region):
    assert load_settings({"region": region}, environ={}, dotenv={}).region == region


@pytest.mark.parametrize("region", ["us-east", "useast1", "us-east-1a", "US-EAST-1", "us east-1", "us-east-1/../x"])
def test_a_text_that_is_no_region_is_refused(region):
    with pytest.raises(ConfigurationError, match="an AWS region such as us-east-1"):
        load_settings({"region": region}, environ={}, dotenv={})


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
