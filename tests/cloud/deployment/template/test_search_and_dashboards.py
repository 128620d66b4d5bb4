"""OpenSearch and QuickSight in the template: off by default, with the mapping of the sink, and few permissions."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from tests.cloud.iam_evaluator import Call, allows
from tests.cloud.parsed_template import PARAMETERS, TEMPLATE
from tests.cloud.resolved_template import ACCOUNT, created, properties_of, references, resolved
from truckstream.record import TruckRecord
from truckstream.search import index_templates

USER = f"arn:aws:quicksight:us-east-1:{ACCOUNT}:user/default/ann"
READERS = f"arn:aws:iam::{ACCOUNT}:role/analyst,arn:aws:iam::{ACCOUNT}:user/ann"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/truckstream/Acme/Ingestion"
STREAM = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/trucks"


def names(**values):
    found = references("Acme", CreateSearch="true", StreamName="trucks", FailedBucket="acme-failed", **values)
    return found | {"IngestionRole.Arn": ROLE}


def pipeline(**values):
    """The pipeline's configuration, with the collection's endpoint."""
    found = names(**values) | {"SearchCollection.CollectionEndpoint": "https://x.us-east-1.aoss.amazonaws.com"}
    found |= {'!getMetadata("' + name + '")': "${" + name + "}" for name in METADATA}
    return yaml.safe_load(properties_of("Ingestion", found)["PipelineConfigurationBody"])["stream-to-collection"]


METADATA = ("partition_key", "sequence_number", "sub_sequence_number")


def test_both_are_off_by_default():
    default = set(created(references()))
    search = set(created(references(CreateSearch="true"))) - default
    assert search == {
        *("SearchEncryption", "SearchNetwork", "SearchAccess", "SearchCollection", "IngestionRole", "Ingestion"),
    }
    quicksight = set(created(references(QuickSightPrincipal=USER))) - default
    assert quicksight == {"QuickSightSource", "QuickSightDataSet", "QuickSightDashboard"}
    everything = created(references(CreateSearch="true", QuickSightPrincipal=USER, Scope="STORAGE"))
    assert not {*search, *quicksight} & set(everything)


@pytest.mark.parametrize("values", [{"CreateSearch": "true"}, {"QuickSightPrincipal": USER}])
@pytest.mark.parametrize(("schema", "accepted"), [("truck", True), ("none", False), ("m:Reading", False)])
def test_another_schema_is_refused(values, schema, accepted):
    rule = TEMPLATE["Rules"]["SearchAndDashboards"]
    found = references(**values, Schema=schema)
    assert resolved(rule["RuleCondition"], found) is True
    [assertion] = rule["Assertions"]
    assert resolved(assertion["Assert"], found) is accepted


# --- The collection ---------------------------------------------------------------------------------


def test_the_policies_are_about_this_collection_only():
    for name, policy_type in (("SearchEncryption", "encryption"), ("SearchNetwork", "network")):
        properties = properties_of(name, names())
        assert properties["Type"] == policy_type
        document = json.loads(properties["Policy"])
        rules = document["Rules"] if isinstance(document, dict) else document[0]["Rules"]
        assert {resource for rule in rules for resource in rule["Resource"]} == {"collection/truckstream"}


def test_only_the_pipeline_writes_and_readers_only_read():
    [writers] = json.loads(properties_of("SearchAccess", names())["Policy"])
    assert writers["Principal"] == [ROLE]
    [writers, readers] = json.loads(properties_of("SearchAccess", names(SearchReaders=READERS))["Policy"])
    assert readers["Principal"] == READERS.split(",")
    [rule] = readers["Rules"]
    assert rule["Resource"] == ["index/truckstream/truckstream-*"]
    assert rule["Permission"] == ["aoss:ReadDocument", "aoss:DescribeIndex"]
    granted = {each for rule in writers["Rules"] for each in rule["Permission"]}
    assert not any("Delete" in each or "*" in each for each in granted)


def test_the_collection_accepts_ids_of_documents():
    """A collection of time series does not, and each redelivery would make another document."""
    assert properties_of("SearchCollection", names())["Type"] == "SEARCH"


@pytest.mark.parametrize(
    ("name", "accepted"), [("truckstream", True), ("a" * 29, False), ("Trucks", False), ("ab", False)]
)
def test_the_name_fits_a_collection_and_a_pipeline(name, accepted):
    assert bool(re.fullmatch(PARAMETERS["SearchName"]["AllowedPattern"], name)) is accepted


@pytest.mark.parametrize(
    ("readers", "accepted"),
    [("", True), (READERS, True), ("ann", False), (f'{READERS},"]', False), (f"{READERS},", False)],
)
def test_readers_are_arns(readers, accepted):
    assert bool(re.fullmatch(PARAMETERS["SearchReaders"]["AllowedPattern"], readers)) is accepted


# --- The pipeline -----------------------------------------------------------------------------------


def test_the_mapping_is_that_of_the_sink():
    [sink] = pipeline()["sink"]
    content = json.loads(sink["opensearch"]["template_content"])
    assert (
        content["template"]["mappings"]
        == index_templates("truckstream", TruckRecord)["truckstream"]["template"]["mappings"]
    )


def test_a_document_has_an_id_of_its_record_and_the_fields_of_its_place():
    found = pipeline()
    [sink] = found["sink"]
    assert sink["opensearch"]["document_id"] == "${partition_key}:${sequence_number}:${sub_sequence_number}"
    assert sink["opensearch"]["index"] == "truckstream-%{yyyy.MM.dd}"
    entries, date = found["processor"]
    added = [each["key"] for each in entries["add_entries"]["entries"]] + [date["date"]["destination"]]
    assert added == ["kinesis_sequence_number", "kinesis_subsequence_number", "kinesis_arrival_time"]
    assert date["date"]["output_format"] == "yyyy-MM-dd HH:mm:ss.SSS"


def test_the_stream_is_read_from_its_oldest_record_with_acknowledgements():
    source = pipeline()["source"]["kinesis_data_streams"]
    assert source["acknowledgments"] is True
    assert source["streams"] == [{"stream_name": "trucks", "initial_position": "EARLIEST"}]


def may(action, resource, **context):
    [policy] = properties_of("IngestionRole", names())["Policies"]
    return allows([policy["PolicyDocument"]], Call(action, resource, context))


def test_the_role_may_read_the_stream_write_the_collection_and_set_documents_aside():
    collection = f"arn:aws:aoss:us-east-1:{ACCOUNT}:collection/1"
    dlq = pipeline()["sink"][0]["opensearch"]["dlq"]["s3"]
    assert may("kinesis:GetRecords", STREAM)
    assert may("aoss:APIAccessAll", collection, **{"aoss:collection": "truckstream"})
    key = f"arn:aws:s3:::{dlq['bucket']}/{dlq['key_path_prefix']}x"
    assert may("s3:PutObject", key, **{"s3:ResourceAccount": ACCOUNT})
    assert not may("s3:PutObject", key, **{"s3:ResourceAccount": "9" * 12})
    assert not may("aoss:APIAccessAll", collection, **{"aoss:collection": "another"})
    for action, resource in (
        ("kinesis:PutRecords", STREAM),
        ("kinesis:GetRecords", f"{STREAM}2"),
        ("s3:GetObject", key),
        ("s3:PutObject", f"arn:aws:s3:::{dlq['bucket']}/aws/lambda/x"),
    ):
        assert not may(action, resource, **{"s3:ResourceAccount": ACCOUNT})


def test_only_the_pipelines_of_this_account_take_the_role():
    [statement] = properties_of("IngestionRole", names())["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "osis-pipelines.amazonaws.com"}
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


def test_a_permissions_boundary_limits_the_role():
    boundary = "arn:aws:iam::000000000000:policy/truckstream-boundary/Acme"
    assert properties_of("IngestionRole", names(PermissionsBoundary=boundary))["PermissionsBoundary"] == boundary


# --- QuickSight -------------------------------------------------------------------------------------


def columns_of_the_table():
    table = properties_of("DataTable", references())["TableInput"]["StorageDescriptor"]["Columns"]
    kinds = {"string": "STRING", "double": "DECIMAL", "bigint": "INTEGER"}
    return [{"Name": each["Name"], "Type": kinds[each["Type"]]} for each in table]


def test_the_data_set_has_the_columns_of_the_table():
    properties = properties_of("QuickSightDataSet", references(QuickSightPrincipal=USER))
    table = properties["PhysicalTableMap"]["reports"]["RelationalTable"]
    assert table["InputColumns"] == columns_of_the_table()
    assert properties["ImportMode"] == "DIRECT_QUERY"


def column_names(value):
    if isinstance(value, dict):
        yield from ([value["ColumnName"]] if "ColumnName" in value else ())
        value = list(value.values())
    for each in value if isinstance(value, list) else ():
        yield from column_names(each)


def test_the_dashboard_shows_columns_that_there_are():
    definition = properties_of("QuickSightDashboard", references(QuickSightPrincipal=USER))["Definition"]
    shown = set(column_names(definition))
    assert {"truck_id", "health_status", "brake_temp"} <= shown
    assert shown <= {each["Name"] for each in columns_of_the_table()}


def test_the_principal_may_look_and_nothing_else():
    for name in ("QuickSightSource", "QuickSightDataSet", "QuickSightDashboard"):
        [permission] = properties_of(name, references(QuickSightPrincipal=USER))["Permissions"]
        assert permission["Principal"] == USER
        assert not any(re.search("Update|Delete|Create", action) for action in permission["Actions"])
