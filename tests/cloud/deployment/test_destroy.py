"""The deletion of a stack, on a scripted AWS and a virtual clock."""

import pytest

from tests import virtual_time
from tests.cloud.deployment.support import account, event, stack
from truckstream.cloud import destroy
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
