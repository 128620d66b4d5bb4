"""A deployment with a schema of your own: its module comes into the zip, and its fields into the table."""

import pytest

from tests import virtual_time
from tests.cloud.deployment.support import NO_STACK, account, stack, uploaded_template
from tests.cloud.parsed_template import parsed
from truckstream.cloud import DeployOptions, deploy
from truckstream.cloud.package.archive import Archive
from truckstream.errors import ConfigurationError, InvalidArgumentError

PARQUET = {"Schema": "my_schema:Reading", "Format": "parquet", "Compression": "none"}
OUTPUTS = {"StreamName": "trucks", "BucketName": "acme-truck-data"}


@pytest.fixture
def module(tmp_path):
    path = tmp_path / "my_schema.py"
    path.write_text("import msgspec\n\n\nclass Reading(msgspec.Struct):\n    sensor: int\n    celsius: float\n")
    return path


@pytest.fixture(autouse=True)
def built(monkeypatch):
    """Replace the build of the zip, and return the list of the options that it was given."""
    options = []

    async def build(each):
        options.append(each)
        return Archive(b"zip", "d" * 64, ())

    monkeypatch.setattr("truckstream.cloud.deployment.deploy.build_package", build)
    return options


def template_of(options, *stacks):
    """Deploy, and return the template that CloudFormation was given."""
    aws = account(*stacks, s3__head_bucket={}, s3__head_object={}, kinesis__describe_stream_summary=NO_STACK)
    virtual_time.run(deploy(aws, options))
    return parsed(uploaded_template(aws))


def new_stack():
    return NO_STACK, stack("REVIEW_IN_PROGRESS"), stack("CREATE_COMPLETE", {}, **OUTPUTS)


def columns(template):
    rows = template["Resources"]["DataTable"]["Properties"]["TableInput"]["StorageDescriptor"]["Columns"]
    return [row["Name"] for row in rows]


def test_the_module_and_its_format_reach_the_zip_and_its_fields_the_table(built, module):
    template = template_of(DeployOptions("acme", parameters=PARQUET, include=(module,)), *new_stack())
    [package] = built
    assert (package.include, package.format, package.compression) == ((module,), "parquet", "none")
    assert columns(template) == ["sensor", "celsius", "kinesis_sequence_number", "kinesis_subsequence_number"]


def test_a_later_deployment_keeps_format_and_schema(built, module):
    told = {"Scope": "PIPELINE", "StreamName": "trucks", "CodeBucket": "acme-zips", **PARQUET}
    options = DeployOptions("acme", parameters={"MemorySize": "1024"}, include=(module,))
    template = template_of(options, stack("UPDATE_COMPLETE", told, **OUTPUTS))
    assert built[0].format == "parquet"
    assert columns(template)[:2] == ["sensor", "celsius"]


def test_the_format_that_only_a_new_stack_gets_reaches_the_zip_too(built, module):
    template = template_of(DeployOptions("acme", new_stack_parameters=PARQUET, include=(module,)), *new_stack())
    assert built[0].format == "parquet"
    assert columns(template)[-1] == "kinesis_subsequence_number"


def test_a_later_deployment_without_the_module_is_refused(built):
    """Its zip would lack the module, and the function would fail."""
    told = {"Scope": "PIPELINE", "StreamName": "trucks", "CodeBucket": "acme-zips", **PARQUET}
    with pytest.raises(ConfigurationError, match=r"Schema is 'my_schema:Reading'.*Pass --include my_schema\.py"):
        template_of(DeployOptions("acme"), stack("UPDATE_COMPLETE", told, **OUTPUTS))
    assert built == []


def test_without_a_catalog_the_schema_must_exist_all_the_same(module):
    parameters = {**PARQUET, "CreateCatalog": "false"}
    with pytest.raises(ConfigurationError, match="Pass --include"):
        template_of(DeployOptions("acme", parameters=parameters), *new_stack())
    template_of(DeployOptions("acme", parameters=parameters, include=(module,)), *new_stack())


def test_truck_records_need_no_module(built):
    template = template_of(DeployOptions("acme", parameters={"Format": "parquet"}), *new_stack())
    assert columns(template)[0] == "truck_id"
    assert columns(template)[-1] == "kinesis_subsequence_number"
    assert built[0].format == "parquet"


def test_a_path_that_is_no_module_is_rejected(tmp_path):
    with pytest.raises(InvalidArgumentError, match="include is"):
        DeployOptions(include=(tmp_path / "nowhere.py",))
