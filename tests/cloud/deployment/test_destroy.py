"""The deletion of a stack, on a scripted AWS and a virtual clock."""

import pytest

from tests import virtual_time
from tests.cloud.deployment.support import THEN, account, event, stack
from truckstream.cloud import destroy
from truckstream.commands.output.aws_reports import format_destruction
from truckstream.errors import DeploymentError


def test_a_stack_that_is_being_changed_is_not_destroyed():
    aws = account(stack("UPDATE_IN_PROGRESS"))
    with pytest.raises(DeploymentError, match="Wait until it is done"):
        virtual_time.run(destroy(aws, "acme"))


def test_the_error_names_the_resource_that_cannot_be_deleted():
    why = "The bucket you tried to delete is not empty"
    events = [{"StackEvents": []}, {"StackEvents": [event("Bucket", "DELETE_FAILED", why, "AWS::S3::Bucket")]}]
    aws = account(
        *(stack("CREATE_COMPLETE"), stack("DELETE_FAILED")),
        describe_stack_events=events,
        describe_stack_resources={"StackResources": []},
    )
    with pytest.raises(DeploymentError, match=r"DELETE_FAILED: stack acme: Bucket \(AWS::S3::Bucket\): The bucket"):
        virtual_time.run(destroy(aws, "acme"))


def destroyed(**changed):
    """Return the dry run of the destruction of a stack with these parameters."""
    names = {"StreamName": "trucks", "BucketName": "acme-truck-data"}
    parameters = {"Scope": "PIPELINE", "Architecture": "arm64", "Runtime": "python3.13", "MemorySize": "512"} | changed
    rows = [("Stream", "AWS::Kinesis::Stream", "trucks"), ("Topic", "AWS::SNS::Topic", "topic")]
    resources = [
        {
            "LogicalResourceId": name,
            "ResourceType": kind,
            "PhysicalResourceId": physical_id,
            "Timestamp": THEN,
            "ResourceStatus": "CREATE_COMPLETE",
        }
        for name, kind, physical_id in rows
    ]
    aws = account(stack("UPDATE_COMPLETE", parameters, **names), describe_stack_resources={"StackResources": resources})
    return virtual_time.run(destroy(aws, "acme", dry_run=True))


def test_the_kept_data_come_with_the_command_that_uses_them_again():
    found = destroyed()
    assert [each.physical_id for each in found.stays] == ["trucks"]
    assert found.again == (
        "truckstream deploy --stack acme --region us-east-1 --adopt --stream trucks --bucket acme-truck-data"
    )
    text = format_destruction(found)
    assert f"To deploy the pipeline onto them again:\n  {found.again}" in text


def test_the_successor_gets_every_choice_of_the_stack():
    told = {"Architecture": "x86_64", "Runtime": "python3.12", "Layout": "hive", "LeftOut": "TwiceQuery,HealthQuery"}
    flags = destroyed(**told, ShardCount="4", CodeKey="acme/1.zip", NoLongerKnown="x").again.partition("data ")[2]
    assert flags == (
        "--architecture x86_64 --python 3.12 --parameter Layout=hive --leave-out TwiceQuery --leave-out HealthQuery"
    )


def test_the_storage_alone_is_provisioned_again():
    assert destroyed(Scope="STORAGE").again.startswith("truckstream provision --stack acme")


def test_a_stream_and_a_bucket_that_are_used_by_name_stay_even_if_the_data_are_to_be_deleted():
    found = destroyed(CreateStream="false", ExistingBucketName="acme-truck-data")
    assert ("StreamName", "trucks") in [(each.name, each.physical_id) for each in found.stays]
    assert ("ExistingBucketName", "acme-truck-data") in [(each.name, each.physical_id) for each in found.stays]
