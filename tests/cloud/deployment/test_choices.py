"""A deployment keeps everything that an earlier one was given, on a scripted AWS and a virtual clock."""

import pytest

from tests import virtual_time
from tests.cloud.deployment.support import NO_STACK, account, stack, uploaded_template
from tests.cloud.scripted_aws import aws_error
from truckstream.cloud import DeployOptions, deploy
from truckstream.cloud.deployment.template.template_text import read_template, resources_of
from truckstream.cloud.package.archive import Archive
from truckstream.errors import ConfigurationError, InvalidArgumentError

REVIEW = stack("REVIEW_IN_PROGRESS")
#: The parameters of a stack that was told another platform, another bucket for its zip, and to leave two alarms out.
TOLD = {
    "Scope": "PIPELINE",
    "Architecture": "x86_64",
    "Runtime": "python3.11",
    "CodeBucket": "acme-zips",
    "CodeKey": "acme/old.zip",
    "StreamName": "trucks",
    "MemorySize": "512",
    "Layout": "hive",
    "LeftOut": "ErrorRateAlarm,StreamLoadAlarm",
}
OUTPUTS = {"StreamName": "trucks", "BucketName": "acme-truck-data"}


@pytest.fixture(autouse=True)
def built(monkeypatch):
    """Replace the build of the zip, and return the list of the options that it was given."""
    options = []

    async def build(each):
        options.append((each.architecture, each.python, each.function))
        return Archive(each.function.encode(), each.function[0] * 64, ())

    async def build_flink(each):
        options.append(each.connector)
        return Archive(b"flink", "f" * 64, ())

    monkeypatch.setattr("truckstream.cloud.deployment.deploy.build_package", build)
    monkeypatch.setattr("truckstream.cloud.deployment.deploy.build_flink_package", build_flink)
    return options


def deployed(options, *stacks):
    """Deploy, and return the account, the given parameters by name, and the names of those that keep their value."""
    stacks = stacks or (stack("UPDATE_COMPLETE", TOLD, **OUTPUTS),)
    aws = account(*stacks, s3__head_object=aws_error("404"), kinesis__describe_stream_summary=NO_STACK)
    virtual_time.run(deploy(aws, options))
    [call] = aws.calls_of("cloudformation.create_change_set")
    given = {row["ParameterKey"]: row["ParameterValue"] for row in call["Parameters"] if "ParameterValue" in row}
    kept = {row["ParameterKey"] for row in call["Parameters"] if row.get("UsePreviousValue")}
    return aws, given, kept


def test_a_change_of_the_memory_changes_nothing_else(built):
    aws, given, kept = deployed(DeployOptions("acme", parameters={"MemorySize": "1024"}))
    assert built == [("x86_64", "3.11", "storage")]
    changed = {name for name, value in given.items() if TOLD[name] != value}
    assert changed == {"MemorySize", "CodeKey"}
    assert kept == {"StreamName", "Layout"}
    resources = resources_of(uploaded_template(aws))
    assert set(resources_of(read_template())) - set(resources) == {"ErrorRateAlarm", "StreamLoadAlarm"}


def test_the_zip_stays_in_the_bucket_that_it_was_put_into():
    aws, given, _ = deployed(DeployOptions("acme"))
    assert given["CodeBucket"] == "acme-zips"
    assert {call["Bucket"] for call in aws.calls_of("s3.head_object")} == {"acme-zips"}


@pytest.mark.parametrize(
    ("options", "platform"),
    [
        ({}, ("x86_64", "3.11")),
        ({"python": "3.12"}, ("x86_64", "3.12")),
        ({"architecture": "arm64", "python": "3.13"}, ("arm64", "3.13")),
    ],
)
def test_each_part_of_the_platform_is_kept_by_itself(built, options, platform):
    _, given, _ = deployed(DeployOptions("acme", **options))
    assert built == [(*platform, "storage")]
    assert (given["Architecture"], given["Runtime"]) == (platform[0], f"python{platform[1]}")


def test_a_new_stack_has_the_defaults(built):
    _, given, _ = deployed(DeployOptions("acme"), NO_STACK, REVIEW, stack("CREATE_COMPLETE"))
    assert built == [("arm64", "3.13", "storage")]
    assert given["LeftOut"] == "none"


# --- The compaction ---------------------------------------------------------------------------------

COMPACTION = {"CreateCompaction": "true"}


def test_the_compaction_gets_a_zip_of_its_own(built):
    options = DeployOptions("acme", parameters=COMPACTION, python="3.12")
    aws, given, _ = deployed(options)
    assert built == [("x86_64", "3.12", "storage"), ("x86_64", "3.12", "compaction")]
    zips = {put["Key"]: put["Body"] for put in aws.calls_of("s3.put_object") if put["Key"].endswith(".zip")}
    assert zips == {given["CodeKey"]: b"storage", given["CompactionCodeKey"]: b"compaction"}


def test_a_stack_with_a_compaction_keeps_it_and_gets_its_new_code(built):
    told = TOLD | COMPACTION | {"Runtime": "python3.13", "CompactionCodeKey": "acme/old.zip"}
    _, given, kept = deployed(DeployOptions("acme"), stack("UPDATE_COMPLETE", told, **OUTPUTS))
    assert [function for *_, function in built] == ["storage", "compaction"]
    assert "CreateCompaction" in kept
    assert given["CompactionCodeKey"] != "acme/old.zip"


def test_a_compaction_with_a_python_without_duckdb_is_refused(built):
    with pytest.raises(InvalidArgumentError, match=r"python is '3\.11': must be one of 3\.12, 3\.13, 3\.14"):
        deployed(DeployOptions("acme", parameters=COMPACTION))
    assert built == []


# --- The Flink application --------------------------------------------------------------------------


@pytest.mark.parametrize("given", [{"parameters": {"CreateFlink": "true"}}, {}])
def test_the_flink_application_gets_a_zip_with_the_connector(given, built, tmp_path):
    """Also in a later deployment, which is not told again that there is one."""
    jar = tmp_path / "connector.jar"
    jar.write_bytes(b"jar")
    told = TOLD | {"CreateFlink": "false" if given else "true"}
    options = DeployOptions("acme", connector=jar, **given)
    aws, parameters, _ = deployed(options, stack("UPDATE_COMPLETE", told, **OUTPUTS))
    zips = {put["Key"]: put["Body"] for put in aws.calls_of("s3.put_object") if put["Key"].endswith(".zip")}
    assert zips == {parameters["CodeKey"]: b"storage", parameters["FlinkCodeKey"]: b"flink"}
    assert built[1:] == [jar]


def test_without_a_flink_application_no_connector_is_needed(built):
    _, given, _ = deployed(DeployOptions("acme"))
    assert "FlinkCodeKey" not in given
    assert len(built) == 1


# --- Resources that are left out --------------------------------------------------------------------


def test_new_names_to_leave_out_replace_the_old_ones():
    aws, given, _ = deployed(DeployOptions("acme", leave_out=("TwiceQuery",)))
    assert given["LeftOut"] == "TwiceQuery"
    resources = resources_of(uploaded_template(aws))
    assert ("TwiceQuery" in resources, "ErrorRateAlarm" in resources) == (False, True)


def test_no_names_to_leave_out_bring_everything_back():
    aws, given, _ = deployed(DeployOptions("acme", leave_out=()))
    assert given["LeftOut"] == "none"
    assert resources_of(uploaded_template(aws)) == resources_of(read_template())


def test_a_name_that_was_left_out_of_an_older_template_is_forgotten():
    older = stack("UPDATE_COMPLETE", TOLD | {"LeftOut": "AlarmOfLongAgo,TwiceQuery"}, **OUTPUTS)
    assert deployed(DeployOptions("acme"), older)[1]["LeftOut"] == "TwiceQuery"


def test_the_successor_of_a_failed_creation_gets_what_that_was_told(built):
    failed = stack("ROLLBACK_COMPLETE", TOLD)
    options = DeployOptions("acme", parameters={"MemorySize": "1024"}, new_stack_parameters={"StreamName": "buses"})
    _, given, kept = deployed(options, failed, stack("DELETE_COMPLETE"), REVIEW, stack("CREATE_COMPLETE"))
    assert built == [("x86_64", "3.11", "storage")]
    names = ("Layout", "MemorySize", "StreamName", "LeftOut")
    assert [given[name] for name in names] == ["hive", "1024", "buses", TOLD["LeftOut"]]
    assert kept == set()


@pytest.mark.parametrize(("name", "setting"), [("StreamName", "stream_name"), ("BucketName", "bucket_name")])
def test_a_setting_that_contradicts_the_stack_is_an_error_and_replaces_nothing(name, setting):
    aws = account(stack("UPDATE_COMPLETE", TOLD, **OUTPUTS))
    with pytest.raises(ConfigurationError, match=f"{setting} is 'other', but the stack acme has '{OUTPUTS[name]}'"):
        virtual_time.run(deploy(aws, DeployOptions("acme", new_stack_parameters={name: "other"})))
    assert aws.calls_of("cloudformation.create_change_set") == []


def test_a_setting_that_agrees_with_the_stack_sets_no_parameter():
    """The bucket may have the name that CloudFormation chose, which is not the parameter's value."""
    options = DeployOptions("acme", new_stack_parameters=OUTPUTS)
    _, given, kept = deployed(options)
    assert not {"StreamName", "BucketName"} & set(given)
    assert "StreamName" in kept


@pytest.mark.parametrize(
    "name", ["Scope", "Architecture", "Runtime", "CodeBucket", "CodeKey", "CompactionCodeKey", "FlinkCodeKey"]
)
def test_a_parameter_that_deploy_sets_itself_is_refused(name):
    with pytest.raises(InvalidArgumentError, match=f"parameter is '{name}': is set by deploy"):
        DeployOptions("acme", parameters={name: "x"})
