"""Consumers, tags, policies, metrics, encryption and capacity of a stream, and the settings of the account."""

import json

import pytest

from tests.local.support import ARN, Api
from truckstream.local import RefusedError

DAY = 86_400.0
ON_DEMAND = {"StreamModeDetails": {"StreamMode": "ON_DEMAND"}}
PROVISIONED = {"StreamModeDetails": {"StreamMode": "PROVISIONED"}}
POLICY = json.dumps({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "kinesis:PutRecords"}]})


def error_code(api, at, operation, **members):
    """Make a call that must be rejected, and return the code of its error."""
    with pytest.raises(RefusedError) as caught:
        api(at, operation, **members)
    return caught.value.code


def register(api, at, name="reader", **members):
    response = api(at, "RegisterStreamConsumer", StreamARN=ARN, ConsumerName=name, **members)
    return response["Consumer"]["ConsumerARN"]


def summary(api, at=0.0):
    return api(at, "DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]


def commit(api, at, status="ENABLED"):
    response = api(at, "UpdateAccountSettings", MinimumThroughputBillingCommitment={"Status": status})
    return response["MinimumThroughputBillingCommitment"]


# --- Consumers ------------------------------------------------------------------------------------


def test_a_consumer_is_creating_then_active_then_deleting_then_deleted():
    api = Api(transition_seconds=2)
    arn = register(api, 10)

    def status(at):
        return api(at, "DescribeStreamConsumer", ConsumerARN=arn)["ConsumerDescription"]["ConsumerStatus"]

    assert (status(11.9), status(12)) == ("CREATING", "ACTIVE")
    api(20, "DeregisterStreamConsumer", ConsumerARN=arn)
    assert status(21.9) == "DELETING"
    assert error_code(api, 22, "DescribeStreamConsumer", ConsumerARN=arn) == "ResourceNotFoundException"
    assert summary(api, 22)["ConsumerCount"] == 0


def test_the_arn_of_a_consumer_contains_the_second_of_its_registration():
    api = Api()
    first = register(api, 10)
    api(20, "DeregisterStreamConsumer", StreamARN=ARN, ConsumerName="reader")
    assert register(api, 20) != first
    assert error_code(api, 20, "DescribeStreamConsumer", ConsumerARN=first) == "ResourceNotFoundException"


def test_the_arn_and_the_names_of_a_consumer_must_agree():
    api = Api()
    arn = register(api, 0)
    register(api, 0, "other")
    both = {"ConsumerARN": arn, "StreamARN": ARN}
    assert api(0, "DescribeStreamConsumer", ConsumerName="reader", **both)
    assert error_code(api, 0, "DescribeStreamConsumer", ConsumerName="other", **both) == "InvalidArgumentException"


def test_only_five_consumers_of_a_stream_can_be_creating():
    api = Api(transition_seconds=2, limited=False)
    for number in range(5):
        register(api, 10, f"reader-{number}")
    sixth = {"StreamARN": ARN, "ConsumerName": "reader"}
    assert error_code(api, 10, "RegisterStreamConsumer", **sixth) == "LimitExceededException"
    assert api(12, "RegisterStreamConsumer", **sixth)


def test_the_commitment_raises_the_limit_of_consumers_of_an_on_demand_stream():
    api = Api(limited=False)
    api(0, "UpdateStreamMode", StreamARN=ARN, **ON_DEMAND)
    for number in range(20):
        register(api, 0, f"reader-{number}")
    one_more = {"StreamARN": ARN, "ConsumerName": "reader-20"}
    assert error_code(api, 0, "RegisterStreamConsumer", **one_more) == "LimitExceededException"
    commit(api, 0)
    assert api(0, "RegisterStreamConsumer", **one_more)


def test_a_page_token_of_consumers_is_valid_for_one_stream():
    api = Api(limited=False)
    for name in ("a", "b", "c"):
        register(api, 0, name)
    page = api(0, "ListStreamConsumers", StreamARN=ARN, MaxResults=2)
    assert [consumer["ConsumerName"] for consumer in page["Consumers"]] == ["a", "b"]
    next_page = {"StreamARN": ARN, "NextToken": page["NextToken"]}
    assert [c["ConsumerName"] for c in api(300, "ListStreamConsumers", **next_page)["Consumers"]] == ["c"]
    assert error_code(api, 301, "ListStreamConsumers", **next_page) == "ExpiredNextTokenException"
    api(0, "CreateStream", StreamName="t", ShardCount=1)
    next_page["StreamARN"] = ARN.replace("/s", "/t")
    assert error_code(api, 0, "ListStreamConsumers", **next_page) == "InvalidArgumentException"


def test_the_creation_time_selects_the_stream_of_a_list_of_consumers():
    api = Api()
    created = summary(api)["StreamCreationTimestamp"]
    assert api(0, "ListStreamConsumers", StreamARN=ARN, StreamCreationTimestamp=created)["Consumers"] == []
    wrong = {"StreamARN": ARN, "StreamCreationTimestamp": created - 5}
    assert error_code(api, 0, "ListStreamConsumers", **wrong) == "ResourceNotFoundException"


def test_a_stream_with_consumers_is_deleted_only_by_force():
    api = Api()
    register(api, 0)
    assert error_code(api, 0, "DeleteStream", StreamName="s") == "ResourceInUseException"
    api(0, "DeleteStream", StreamName="s", EnforceConsumerDeletion=True)
    assert api(0, "ListStreams")["StreamNames"] == []


# --- Tags and policies ----------------------------------------------------------------------------


def test_a_consumer_has_tags_and_a_policy_of_its_own():
    api = Api()
    arn = register(api, 0, Tags={"depot": "north"})
    api(0, "TagResource", ResourceARN=arn, Tags={"fleet": "7"})
    api(0, "UntagResource", ResourceARN=arn, TagKeys=["depot", "unknown"])
    assert api(0, "ListTagsForResource", ResourceARN=arn)["Tags"] == [{"Key": "fleet", "Value": "7"}]
    assert api(0, "ListTagsForResource", ResourceARN=ARN)["Tags"] == []
    api(0, "PutResourcePolicy", ResourceARN=arn, Policy=POLICY)
    assert api(0, "GetResourcePolicy", ResourceARN=arn) == {"Policy": POLICY}
    assert error_code(api, 0, "GetResourcePolicy", ResourceARN=ARN) == "ResourceNotFoundException"


def test_tags_require_an_active_stream():
    api = Api(transition_seconds=2)
    assert error_code(api, 1, "AddTagsToStream", StreamName="s", Tags={"a": "b"}) == "ResourceInUseException"
    assert error_code(api, 1, "TagResource", ResourceARN=ARN, Tags={"a": "b"}) == "ResourceInUseException"
    api(2, "TagResource", ResourceARN=ARN, Tags={"a": "b"})
    assert api(2, "ListTagsForStream", StreamName="s")["Tags"] == [{"Key": "a", "Value": "b"}]


@pytest.mark.parametrize(
    "policy", ["allow everybody", "[]", "{}", '{"Statement": []}', '{"Statement": [{"Effect": "Allow"}]}']
)
def test_an_invalid_policy_is_rejected(policy):
    members = {"ResourceARN": ARN, "Policy": policy}
    assert error_code(Api(), 0, "PutResourcePolicy", **members) == "InvalidArgumentException"


def test_the_arn_of_a_channel_is_rejected():
    arn = ARN.replace("stream/s", "channel/c")
    assert error_code(Api(), 0, "ListTagsForResource", ResourceARN=arn) == "InvalidArgumentException"


# --- Metrics, encryption --------------------------------------------------------------------------


def test_a_change_of_metrics_returns_those_before_and_after_it():
    api = Api(limited=False)
    response = api(0, "EnableEnhancedMonitoring", StreamName="s", ShardLevelMetrics=["OutgoingBytes", "IncomingBytes"])
    assert (response["CurrentShardLevelMetrics"], response["DesiredShardLevelMetrics"]) == (
        [],
        ["IncomingBytes", "OutgoingBytes"],
    )
    response = api(0, "DisableEnhancedMonitoring", StreamName="s", ShardLevelMetrics=["OutgoingBytes"])
    assert response["CurrentShardLevelMetrics"] == ["IncomingBytes", "OutgoingBytes"]
    assert summary(api)["EnhancedMonitoring"] == [{"ShardLevelMetrics": ["IncomingBytes"]}]
    api(0, "DisableEnhancedMonitoring", StreamName="s", ShardLevelMetrics=["ALL"])
    assert summary(api)["EnhancedMonitoring"] == [{"ShardLevelMetrics": []}]


def test_encryption_can_be_started_and_stopped_25_times_a_day():
    api = Api(limited=False)
    members = {"StreamName": "s", "EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}
    for second in range(25):
        api(second, "StartStreamEncryption", **members)
        api(second, "StopStreamEncryption", **members)
    assert error_code(api, 100, "StartStreamEncryption", **members) == "LimitExceededException"
    assert error_code(api, 100, "StopStreamEncryption", **members) == "LimitExceededException"
    api(DAY, "StartStreamEncryption", **members)


# --- Capacity -------------------------------------------------------------------------------------


def test_a_stream_changes_its_mode_twice_a_day():
    api = Api(2, limited=False)
    api(0, "UpdateStreamMode", StreamARN=ARN, **ON_DEMAND)
    api(1, "UpdateStreamMode", StreamARN=ARN, **ON_DEMAND)  # no change, and not counted
    api(2, "UpdateStreamMode", StreamARN=ARN, **PROVISIONED)
    assert summary(api)["OpenShardCount"] == 2
    assert error_code(api, DAY - 1, "UpdateStreamMode", StreamARN=ARN, **ON_DEMAND) == "LimitExceededException"
    api(DAY, "UpdateStreamMode", StreamARN=ARN, **ON_DEMAND)


def test_a_larger_record_is_accepted_after_the_update():
    api = Api(limited=False)
    record = {"StreamName": "s", "Data": bytes(2 * 2**20 - 1), "PartitionKey": "k"}
    assert error_code(api, 0, "PutRecord", **record) == "ValidationException"
    api(0, "UpdateMaxRecordSize", StreamARN=ARN, MaxRecordSizeInKiB=2048)
    assert api(0, "PutRecord", **record)["SequenceNumber"]


def test_warm_throughput_needs_the_commitment_and_adds_shards():
    api = Api(limited=False)
    api(0, "UpdateStreamMode", StreamARN=ARN, **ON_DEMAND)
    warm = {"StreamName": "s", "WarmThroughputMiBps": 10}
    assert error_code(api, 0, "UpdateStreamWarmThroughput", **warm) == "ValidationException"
    commit(api, 0)
    response = api(0, "UpdateStreamWarmThroughput", **warm)
    assert response["WarmThroughput"] == {"TargetMiBps": 10, "CurrentMiBps": 10}
    assert (summary(api)["OpenShardCount"], summary(api)["WarmThroughput"]["CurrentMiBps"]) == (10, 10)
    warm["WarmThroughputMiBps"] = 10_241
    assert error_code(api, 0, "UpdateStreamWarmThroughput", **warm) == "InvalidArgumentException"


def test_a_provisioned_stream_has_neither_warm_throughput_nor_auto_distribution():
    api = Api(limited=False)
    commit(api, 0)
    warm = {"StreamName": "s", "WarmThroughputMiBps": 10}
    assert error_code(api, 0, "UpdateStreamWarmThroughput", **warm) == "ValidationException"
    auto = {"StreamARN": ARN, "RecordDistributionStrategy": "AUTO"}
    assert error_code(api, 0, "UpdateStreamRecordDistributionStrategy", **auto) == "InvalidArgumentException"
    new = {"StreamName": "t", "ShardCount": 1, "RecordDistributionStrategy": "AUTO"}
    assert error_code(api, 0, "CreateStream", **new) == "InvalidArgumentException"


def test_a_stream_with_auto_distribution_ignores_partition_keys():
    api = Api(shards=0, limited=False)
    api(0, "CreateStream", StreamName="s", RecordDistributionStrategy="AUTO", **ON_DEMAND)
    records = [{"Data": b"x", "PartitionKey": "k", "ExplicitHashKey": "0"}, {"Data": b"y"}, {"Data": b"z"}]
    response = api(0, "PutRecords", StreamName="s", Records=records)
    shards = [record["ShardId"] for record in response["Records"]]
    shards.append(api(0, "PutRecord", StreamName="s", Data=b"w")["ShardId"])
    assert len(set(shards)) == 4
    read = [record for shard in range(4) for record in api.read(0, shard=shard)["Records"]]
    assert sorted((record["Data"], record.get("PartitionKey")) for record in read) == [
        (b"w", None),
        (b"x", "k"),
        (b"y", None),
        (b"z", None),
    ]
    user = {"StreamARN": ARN, "RecordDistributionStrategy": "USER_PARTITION_KEY"}
    api(0, "UpdateStreamRecordDistributionStrategy", **user)
    assert error_code(api, 0, "PutRecord", StreamName="s", Data=b"w") == "ValidationException"
    assert error_code(api, 0, "PutRecords", StreamName="s", Records=records) == "ValidationException"


def test_a_stream_with_auto_distribution_limits_records_and_requests():
    api = Api(shards=0, limited=False)
    api(0, "CreateStream", StreamName="s", RecordDistributionStrategy="AUTO", **ON_DEMAND)
    too_long = [{"Data": bytes(2**20 + 1)}]
    assert error_code(api, 0, "PutRecords", StreamName="s", Records=too_long) == "ValidationException"
    too_much = [{"Data": bytes(2**20)}] * 11
    assert error_code(api, 0, "PutRecords", StreamName="s", Records=too_much) == "InvalidArgumentException"


# --- The account ----------------------------------------------------------------------------------


def test_a_commitment_lasts_at_least_a_day():
    api = Api()
    assert api(0, "DescribeAccountSettings") == {"MinimumThroughputBillingCommitment": {"Status": "DISABLED"}}
    started = commit(api, 10)
    assert started["EarliestAllowedEndAt"] - started["StartedAt"] == DAY
    assert commit(api, 20, "DISABLED")["Status"] == "ENABLED_UNTIL_EARLIEST_ALLOWED_END"
    assert commit(api, 30)["Status"] == "ENABLED"
    assert commit(api, 40, "DISABLED")["StartedAt"] == started["StartedAt"]
    ended = api(DAY + 10, "DescribeAccountSettings")["MinimumThroughputBillingCommitment"]
    assert (ended["Status"], ended["EndedAt"]) == ("DISABLED", started["EarliestAllowedEndAt"])


def test_a_commitment_older_than_a_day_ends_immediately():
    api = Api()
    commit(api, 0)
    assert commit(api, 2 * DAY, "DISABLED")["Status"] == "DISABLED"
    assert commit(api, 3 * DAY)["Status"] == "ENABLED"
