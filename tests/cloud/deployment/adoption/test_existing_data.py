"""Streams and buckets that exist outside the stack, on a scripted AWS: their names are refused, or they are adopted."""

import pytest

from tests import virtual_time
from tests.cloud.deployment.support import NO_STACK, account, stack, stream_summary
from tests.cloud.iam_evaluator import Call, allows
from tests.cloud.scripted_aws import aws_error
from truckstream.cloud import DeployOptions, Scope, deploy, deploy_policies
from truckstream.errors import AwsError, DeploymentError

REVIEW = stack("REVIEW_IN_PROGRESS")
NAMES = {"StreamName": "trucks", "BucketName": "acme-truck-data"}
BUCKET = {"BucketRegion": "us-east-1"}
NO_ENCRYPTION = aws_error("ServerSideEncryptionConfigurationNotFoundError")
ABSENT = aws_error("404")
CUSTOMER_KEY = "arn:aws:kms:us-east-1:123456789012:key/1"


def options(**changed):
    return DeployOptions("acme", "STORAGE", **({"new_stack_parameters": NAMES} | changed))


def existing(*stacks, **changed):
    """Return an account with the stream and the bucket of `NAMES`, and these stacks in turn."""
    responses = {
        "kinesis__describe_stream_summary": stream_summary(OpenShardCount=4, RetentionPeriodHours=48),
        "s3__head_bucket": BUCKET,
        "s3__get_bucket_encryption": NO_ENCRYPTION,
    }
    responses |= changed
    response = responses.pop("s3__head_bucket")
    found = account(*(stacks or (NO_STACK, REVIEW, stack("CREATE_COMPLETE"))), **responses)
    found.responses["s3.head_bucket"] = [lambda asked: response if asked["Bucket"] != ARTIFACTS else {}]
    return found


#: The bucket that the template is uploaded to.
ARTIFACTS = "truckstream-artifacts-123456789012-us-east-1"


def looked_up(aws):
    """Return the calls that look for a bucket with data."""
    return [call for call in aws.calls_of("s3.head_bucket") if call["Bucket"] != ARTIFACTS]


def refused(aws, given):
    """Return the error of a deployment that CloudFormation never hears of."""
    with pytest.raises(DeploymentError) as error:
        virtual_time.run(deploy(aws, given))
    assert aws.calls_of("cloudformation.create_change_set") == []
    return str(error.value)


def adopted(aws, given):
    """Adopt, and return the parameters that were given to CloudFormation, and the notes of the plan."""
    done = virtual_time.run(deploy(aws, given))
    [call] = aws.calls_of("cloudformation.create_change_set")
    rows = {row["ParameterKey"]: row.get("ParameterValue") for row in call["Parameters"]}
    return rows, done.plan.notes


# --- Taken names ------------------------------------------------------------------------------------


def test_the_name_of_an_existing_stream_is_refused_with_what_to_do():
    text = refused(existing(s3__head_bucket=ABSENT), options())
    assert text.startswith("NameTaken: a stream trucks exists already that is not part of this stack. Pass --adopt")
    assert "choose another name with --stream" in text


def test_the_name_of_ones_own_existing_bucket_is_refused_with_what_to_do():
    text = refused(existing(kinesis__describe_stream_summary=aws_error("ResourceNotFoundException")), options())
    assert text.startswith("NameTaken: a bucket acme-truck-data exists already that is not part of this stack.")
    assert "choose another name with --bucket" in text


@pytest.mark.parametrize("adopt", [False, True])
def test_the_bucket_of_another_account_is_refused_and_not_adopted(adopt):
    aws = existing(
        kinesis__describe_stream_summary=aws_error("ResourceNotFoundException"), s3__head_bucket=aws_error("403")
    )
    assert "acme-truck-data belongs to another account" in refused(aws, options(adopt=adopt))
    assert {call["ExpectedBucketOwner"] for call in looked_up(aws)} == {"123456789012"}


@pytest.mark.parametrize("adopt", [False, True])
def test_a_bucket_in_another_region_is_refused_and_not_adopted(adopt):
    aws = existing(
        kinesis__describe_stream_summary=aws_error("ResourceNotFoundException"),
        s3__head_bucket={"BucketRegion": "eu-west-1"},
    )
    text = refused(aws, options(adopt=adopt))
    assert "the bucket acme-truck-data is in eu-west-1" in text
    assert "or pass --region eu-west-1" in text


def test_other_errors_of_the_bucket_are_raised_as_they_are():
    aws = existing(s3__head_bucket=aws_error("ExpiredToken"), kinesis__describe_stream_summary=ABSENT)
    with pytest.raises(AwsError, match="log in again"):
        virtual_time.run(deploy(aws, options()))


def test_the_stacks_own_stream_and_bucket_are_not_taken():
    aws = existing(stack("UPDATE_COMPLETE", NAMES, **NAMES), stack("UPDATE_COMPLETE"))
    assert virtual_time.run(deploy(aws, options())).done
    assert looked_up(aws) == []


def test_a_stack_that_gets_another_stream_is_told_that_the_name_is_taken():
    given = options(new_stack_parameters={}, parameters={"StreamName": "buses"})
    aws = existing(stack("UPDATE_COMPLETE", NAMES, **NAMES))
    assert "a stream buses exists already" in refused(aws, given)


def test_a_bucket_without_a_name_is_not_looked_up():
    aws = existing(kinesis__describe_stream_summary=ABSENT)
    virtual_time.run(deploy(aws, options(new_stack_parameters={"StreamName": "trucks"})))
    assert looked_up(aws) == []


# --- Missing resources ------------------------------------------------------------------------------


def test_a_stream_that_is_to_be_used_must_exist():
    given = options(parameters={"CreateStream": "false"})
    text = refused(existing(kinesis__describe_stream_summary=ABSENT), given)
    assert "the stream trucks does not exist in us-east-1" in text


def test_a_bucket_that_is_to_be_used_must_exist():
    given = options(new_stack_parameters={}, parameters={"ExistingBucketName": "elsewhere"})
    aws = existing(s3__head_bucket=ABSENT, kinesis__describe_stream_summary=ABSENT)
    assert "the bucket elsewhere of ExistingBucketName does not exist" in refused(aws, given)


def test_the_bucket_to_use_may_belong_to_another_account():
    given = options(new_stack_parameters={}, parameters={"ExistingBucketName": "elsewhere"})
    aws = existing(s3__head_bucket=aws_error("403"), kinesis__describe_stream_summary=ABSENT)
    assert virtual_time.run(deploy(aws, given)).done


# --- Adoption ---------------------------------------------------------------------------------------


def test_a_kept_stream_and_bucket_are_used_by_name_with_the_streams_own_capacity():
    rows, notes = adopted(existing(), options(adopt=True))
    assert rows == {
        **NAMES,
        "CreateStream": "false",
        "StreamMode": "PROVISIONED",
        "ShardCount": "4",
        "RetentionHours": "48",
        "StartingPosition": "TRIM_HORIZON",
        "ExistingBucketName": "acme-truck-data",
        "Scope": "STORAGE",
        "LeftOut": "none",
    }
    assert [note.split(" as ")[0] for note in notes] == [
        "The stack uses the existing stream trucks",
        "The stack uses the existing bucket acme-truck-data",
    ]


def test_an_on_demand_stream_has_no_shard_count_to_keep():
    summary = stream_summary(StreamModeDetails={"StreamMode": "ON_DEMAND"}, OpenShardCount=4)
    rows, _ = adopted(existing(kinesis__describe_stream_summary=summary), options(adopt=True))
    assert (rows["StreamMode"], rows.get("ShardCount")) == ("ON_DEMAND", None)


def test_only_what_exists_is_adopted():
    rows, notes = adopted(existing(kinesis__describe_stream_summary=ABSENT), options(adopt=True))
    assert (rows.get("CreateStream"), rows["ExistingBucketName"], len(notes)) == (None, "acme-truck-data", 1)
    rows, notes = adopted(
        existing(kinesis__describe_stream_summary=ABSENT, s3__head_bucket=ABSENT), options(adopt=True)
    )
    assert (rows.get("CreateStream"), rows.get("ExistingBucketName"), notes) == (None, None, ())


def test_the_given_parameters_count_more_than_those_of_the_existing_stream():
    rows, _ = adopted(existing(), options(adopt=True, parameters={"StartingPosition": "LATEST"}))
    assert (rows["StartingPosition"], rows["ShardCount"]) == ("LATEST", "4")


def test_the_stacks_own_stream_and_bucket_are_not_adopted():
    """CreateStream=false would remove the stream from the stack."""
    aws = existing(stack("UPDATE_COMPLETE", NAMES, **NAMES), stack("UPDATE_COMPLETE"))
    rows, notes = adopted(aws, options(adopt=True))
    assert (rows.get("CreateStream"), rows.get("ExistingBucketName"), notes) == (None, None, ())


def test_the_successor_of_a_failed_creation_can_adopt():
    """The parameters of its predecessor do not count more than what is adopted."""
    failed = stack(
        "ROLLBACK_COMPLETE", {"CreateStream": "true", "ShardCount": "1", "StartingPosition": "LATEST"} | NAMES
    )
    rows, _ = adopted(existing(failed, stack("DELETE_COMPLETE"), REVIEW, stack("CREATE_COMPLETE")), options(adopt=True))
    expected = {"CreateStream": "false", "ShardCount": "4", "StartingPosition": "TRIM_HORIZON"}
    assert {name: rows[name] for name in expected} == expected


def encrypted_with(key):
    """Return a response of GetBucketEncryption."""
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    return {"ServerSideEncryptionConfiguration": {"Rules": [rule]}}


def test_the_function_may_use_the_customer_managed_keys_of_what_is_adopted():
    aws = existing(
        kinesis__describe_stream_summary=stream_summary(KeyId=CUSTOMER_KEY),
        s3__get_bucket_encryption=encrypted_with(CUSTOMER_KEY.replace("key/1", "key/2")),
    )
    rows, notes = adopted(aws, options(adopt=True))
    assert rows["ExistingKeyArns"] == f"{CUSTOMER_KEY},{CUSTOMER_KEY.replace('key/1', 'key/2')}"
    assert f"The function's role may use its key {CUSTOMER_KEY}," in notes[1]


@pytest.mark.parametrize("key", ["alias/trucks", "1", "arn:aws:kms:us-east-1:123456789012:alias/trucks"])
@pytest.mark.parametrize(("manager", "expected"), [("CUSTOMER", CUSTOMER_KEY), ("AWS", None)])
def test_a_key_that_is_named_by_its_alias_or_id_is_found(key, manager, expected):
    found = {"KeyMetadata": {"KeyId": "1", "Arn": CUSTOMER_KEY, "KeyManager": manager}}
    aws = existing(kinesis__describe_stream_summary=stream_summary(KeyId=key), kms__describe_key=found)
    assert adopted(aws, options(adopt=True))[0].get("ExistingKeyArns") == expected


@pytest.mark.parametrize("key", ["alias/aws/s3", "arn:aws:kms:us-east-1:123456789012:alias/aws/s3"])
def test_keys_that_aws_manages_need_no_permission(key):
    aws = existing(s3__get_bucket_encryption=encrypted_with(key))
    rows, _ = adopted(aws, options(adopt=True))
    assert rows.get("ExistingKeyArns") is None
    assert aws.calls_of("kms.describe_key") == []


def test_the_deployers_policies_allow_every_call_that_adoption_adds():
    aws = existing()
    adopted(aws, options(adopt=True))
    documents = deploy_policies(Scope("123456789012", "us-east-1", "acme", "trucks", "acme-truck-data"))
    stream, bucket = "arn:aws:kinesis:us-east-1:123456789012:stream/trucks", "arn:aws:s3:::acme-truck-data"
    calls = {
        "kinesis.describe_stream_summary": Call("kinesis:DescribeStreamSummary", stream),
        "s3.head_bucket": Call("s3:ListBucket", bucket),
        "s3.get_bucket_encryption": Call("s3:GetEncryptionConfiguration", bucket),
    }
    own = ("cloudformation.", "sts.", "s3.put_object", "s3.delete_object")  # of every deployment
    made = {name for name, _ in aws.calls if not name.startswith(own)}
    assert made == set(calls)
    assert [name for name, call in calls.items() if not allows(documents, call)] == []
