"""A stream's retention, encryption, monitoring, capacity mode, record size, and the account's settings."""

import pytest

from tests.contract.support import arn_of, in_passing, iterator, put, rejected_with, summary, wait_active

SHARD = "shardId-000000000000"
KEY = "alias/aws/kinesis"
METRICS = {
    "IncomingBytes",
    "IncomingRecords",
    "OutgoingBytes",
    "OutgoingRecords",
    "WriteProvisionedThroughputExceeded",
    "ReadProvisionedThroughputExceeded",
    "IteratorAgeMilliseconds",
}


def encrypted_stream(kinesis, stream):
    name = stream()
    kinesis.start_stream_encryption(StreamName=name, EncryptionType="KMS", KeyId=KEY)
    wait_active(kinesis, name)
    return name


def set_mode(kinesis, name, mode):
    kinesis.update_stream_mode(StreamARN=arn_of(kinesis, name), StreamModeDetails={"StreamMode": mode})
    wait_active(kinesis, name)


def test_retention_is_increased(kinesis, stream):
    """IncreaseStreamRetentionPeriod sets the new retention period, in hours."""
    name = stream()
    kinesis.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=48)
    wait_active(kinesis, name)
    assert summary(kinesis, name)["RetentionPeriodHours"] == 48


def test_retention_has_a_maximum_of_a_year(kinesis, stream):
    """The maximum value of a stream's retention period is 8760 hours (365 days)."""
    name = stream()
    with rejected_with("InvalidArgumentException", "ValidationException"):
        kinesis.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=8761)
    kinesis.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=8760)
    wait_active(kinesis, name)
    assert summary(kinesis, name)["RetentionPeriodHours"] == 8760


def test_an_increase_to_a_shorter_retention_is_rejected(kinesis, stream):
    """IncreaseStreamRetentionPeriod: must be more than the current retention period."""
    name = stream()
    kinesis.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=48)
    wait_active(kinesis, name)
    with rejected_with("InvalidArgumentException"):
        kinesis.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=36)


def test_retention_is_decreased(kinesis, stream):
    """DecreaseStreamRetentionPeriod sets the new retention period, in hours."""
    name = stream()
    kinesis.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=48)
    wait_active(kinesis, name)
    kinesis.decrease_stream_retention_period(StreamName=name, RetentionPeriodHours=24)
    wait_active(kinesis, name)
    assert summary(kinesis, name)["RetentionPeriodHours"] == 24


def test_retention_has_a_minimum_of_a_day(kinesis, stream):
    """The minimum value of a stream's retention period is 24 hours."""
    name = stream()
    with rejected_with("InvalidArgumentException", "ValidationException"):
        kinesis.decrease_stream_retention_period(StreamName=name, RetentionPeriodHours=23)


def test_a_decrease_to_a_longer_retention_is_rejected(kinesis, stream):
    """DecreaseStreamRetentionPeriod: must be less than the current retention period."""
    name = stream()
    with rejected_with("InvalidArgumentException"):
        kinesis.decrease_stream_retention_period(StreamName=name, RetentionPeriodHours=48)


def test_retention_is_required(kinesis, stream):
    """RetentionPeriodHours is required."""
    name = stream()
    with rejected_with("ValidationException"):
        kinesis.increase_stream_retention_period(StreamName=name)
    with rejected_with("ValidationException"):
        kinesis.decrease_stream_retention_period(StreamName=name)


@in_passing
def test_retention_requires_an_active_stream(kinesis, stream):
    """ResourceInUseException: for successful operation, the resource must be in the ACTIVE state."""
    name = stream()
    kinesis.split_shard(StreamName=name, ShardToSplit=SHARD, NewStartingHashKey="1000")
    with rejected_with("ResourceInUseException"):
        kinesis.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=48)
    with rejected_with("ResourceInUseException"):
        kinesis.decrease_stream_retention_period(StreamName=name, RetentionPeriodHours=24)


def test_the_summary_of_an_encrypted_stream_has_its_key(kinesis, stream):
    """EncryptionType is KMS, and KeyId is the key."""
    name = encrypted_stream(kinesis, stream)
    description = summary(kinesis, name)
    assert (description["EncryptionType"], description["KeyId"]) == ("KMS", KEY)


def test_puts_to_an_encrypted_stream_return_the_encryption_type(kinesis, stream):
    """You can verify that encryption is applied by inspecting the API response from PutRecord or PutRecords."""
    name = encrypted_stream(kinesis, stream)
    assert put(kinesis, name)["EncryptionType"] == "KMS"
    response = kinesis.put_records(StreamName=name, Records=[{"Data": b"x", "PartitionKey": "k"}])
    assert response["EncryptionType"] == "KMS"


def test_records_of_an_encrypted_stream_have_the_encryption_type(kinesis, stream):
    """A record's EncryptionType is the encryption type used on the record."""
    name = encrypted_stream(kinesis, stream)
    put(kinesis, name)
    [record] = kinesis.get_records(ShardIterator=iterator(kinesis, name, SHARD))["Records"]
    assert record["EncryptionType"] == "KMS"


def test_encryption_is_stopped(kinesis, stream):
    """StopStreamEncryption disables server-side encryption."""
    name = encrypted_stream(kinesis, stream)
    kinesis.stop_stream_encryption(StreamName=name, EncryptionType="KMS", KeyId=KEY)
    wait_active(kinesis, name)
    assert summary(kinesis, name)["EncryptionType"] == "NONE"
    assert put(kinesis, name).get("EncryptionType", "NONE") == "NONE"


@in_passing
def test_a_stream_is_updating_while_encryption_starts(kinesis, stream):
    """StartStreamEncryption returns immediately and sets the status of the stream to UPDATING."""
    name = stream()
    kinesis.start_stream_encryption(StreamName=name, EncryptionType="KMS", KeyId=KEY)
    assert summary(kinesis, name)["StreamStatus"] == "UPDATING"
    wait_active(kinesis, name)


def test_encryption_needs_a_valid_type(kinesis, stream):
    """EncryptionType is an enumeration of NONE and KMS."""
    name = stream()
    with rejected_with("ValidationException"):
        kinesis.start_stream_encryption(StreamName=name, EncryptionType="ROT13", KeyId=KEY)
    with rejected_with("ValidationException"):
        kinesis.stop_stream_encryption(StreamName=name, EncryptionType="ROT13", KeyId=KEY)


def test_encryption_needs_a_key(kinesis, stream):
    """KeyId is required and has a minimum length of 1."""
    name = stream()
    with rejected_with("ValidationException"):
        kinesis.start_stream_encryption(StreamName=name, EncryptionType="KMS", KeyId="")
    with rejected_with("ValidationException"):
        kinesis.start_stream_encryption(StreamName=name, EncryptionType="KMS")


@in_passing
def test_encryption_requires_an_active_stream(kinesis, stream):
    """ResourceInUseException: for successful operation, the resource must be in the ACTIVE state."""
    name = stream()
    kinesis.start_stream_encryption(StreamName=name, EncryptionType="KMS", KeyId=KEY)
    with rejected_with("ResourceInUseException"):
        kinesis.start_stream_encryption(StreamName=name, EncryptionType="KMS", KeyId=KEY)
    with rejected_with("ResourceInUseException"):
        kinesis.stop_stream_encryption(StreamName=name, EncryptionType="KMS", KeyId=KEY)


def test_shard_level_metrics_are_enabled(kinesis, stream):
    """CurrentShardLevelMetrics are those before the operation, DesiredShardLevelMetrics those after it."""
    name = stream()
    response = kinesis.enable_enhanced_monitoring(StreamName=name, ShardLevelMetrics=["IncomingBytes"])
    wait_active(kinesis, name)
    assert response["CurrentShardLevelMetrics"] == []
    assert response["DesiredShardLevelMetrics"] == ["IncomingBytes"]
    assert summary(kinesis, name)["EnhancedMonitoring"] == [{"ShardLevelMetrics": ["IncomingBytes"]}]


def test_all_shard_level_metrics_are_enabled(kinesis, stream):
    """The value "ALL" enables every metric."""
    name = stream()
    kinesis.enable_enhanced_monitoring(StreamName=name, ShardLevelMetrics=["ALL"])
    wait_active(kinesis, name)
    [enabled] = summary(kinesis, name)["EnhancedMonitoring"]
    assert set(enabled["ShardLevelMetrics"]) - {"ALL"} == METRICS


def test_shard_level_metrics_are_disabled(kinesis, stream):
    """DisableEnhancedMonitoring disables the metrics named."""
    name = stream()
    kinesis.enable_enhanced_monitoring(StreamName=name, ShardLevelMetrics=["IncomingBytes", "OutgoingBytes"])
    wait_active(kinesis, name)
    response = kinesis.disable_enhanced_monitoring(StreamName=name, ShardLevelMetrics=["IncomingBytes"])
    wait_active(kinesis, name)
    assert set(response["CurrentShardLevelMetrics"]) == {"IncomingBytes", "OutgoingBytes"}
    assert response["DesiredShardLevelMetrics"] == ["OutgoingBytes"]
    kinesis.disable_enhanced_monitoring(StreamName=name, ShardLevelMetrics=["ALL"])
    wait_active(kinesis, name)
    assert summary(kinesis, name)["EnhancedMonitoring"] == [{"ShardLevelMetrics": []}]


@pytest.mark.parametrize("metrics", [[], ["Temperature"]], ids=["none", "unknown"])
def test_shard_level_metrics_need_valid_names(kinesis, stream, metrics):
    """MetricsNameList has 1 to 7 members of an enumeration."""
    name = stream()
    with rejected_with("ValidationException"):
        kinesis.enable_enhanced_monitoring(StreamName=name, ShardLevelMetrics=metrics)
    with rejected_with("ValidationException"):
        kinesis.disable_enhanced_monitoring(StreamName=name, ShardLevelMetrics=metrics)


@in_passing
def test_monitoring_requires_an_active_stream(kinesis, stream):
    """ResourceInUseException: for successful operation, the resource must be in the ACTIVE state."""
    name = stream()
    kinesis.split_shard(StreamName=name, ShardToSplit=SHARD, NewStartingHashKey="1000")
    with rejected_with("ResourceInUseException"):
        kinesis.enable_enhanced_monitoring(StreamName=name, ShardLevelMetrics=["ALL"])
    with rejected_with("ResourceInUseException"):
        kinesis.disable_enhanced_monitoring(StreamName=name, ShardLevelMetrics=["ALL"])


def test_a_stream_changes_to_on_demand_and_back(kinesis, stream):
    """UpdateStreamMode updates the capacity mode of the data stream, and keeps its shards."""
    name = stream(2)
    set_mode(kinesis, name, "ON_DEMAND")
    assert summary(kinesis, name)["StreamModeDetails"] == {"StreamMode": "ON_DEMAND"}
    set_mode(kinesis, name, "PROVISIONED")
    assert summary(kinesis, name)["StreamModeDetails"] == {"StreamMode": "PROVISIONED"}
    assert summary(kinesis, name)["OpenShardCount"] == 2


def test_a_stream_changes_its_mode_twice_a_day(kinesis, stream):
    """You can switch between the capacity modes twice within 24 hours (developer guide, "Choose the right mode")."""
    name = stream()
    set_mode(kinesis, name, "ON_DEMAND")
    set_mode(kinesis, name, "PROVISIONED")
    with rejected_with("LimitExceededException"):
        set_mode(kinesis, name, "ON_DEMAND")


def test_a_mode_must_be_valid(kinesis, stream):
    """StreamMode is an enumeration of PROVISIONED and ON_DEMAND."""
    name = stream()
    with rejected_with("ValidationException"):
        set_mode(kinesis, name, "SPOT")


@in_passing
def test_a_change_of_mode_requires_an_active_stream(kinesis, stream):
    """ResourceInUseException: for successful operation, the resource must be in the ACTIVE state."""
    name = stream()
    arn = arn_of(kinesis, name)
    kinesis.split_shard(StreamName=name, ShardToSplit=SHARD, NewStartingHashKey="1000")
    with rejected_with("ResourceInUseException"):
        kinesis.update_stream_mode(StreamARN=arn, StreamModeDetails={"StreamMode": "ON_DEMAND"})


@pytest.mark.parametrize("size", [1023, 10_241])
def test_the_maximum_record_size_has_a_range(kinesis, stream, size):
    """UpdateMaxRecordSize returns a ValidationException for a size outside 1024 to 10240 KiB."""
    name = stream()
    with rejected_with("ValidationException"):
        kinesis.update_max_record_size(StreamARN=arn_of(kinesis, name), MaxRecordSizeInKiB=size)


@in_passing
def test_the_maximum_record_size_requires_an_active_stream(kinesis, stream):
    """ResourceInUseException: for successful operation, the resource must be in the ACTIVE state."""
    name = stream()
    arn = arn_of(kinesis, name)
    kinesis.split_shard(StreamName=name, ShardToSplit=SHARD, NewStartingHashKey="1000")
    with rejected_with("ResourceInUseException"):
        kinesis.update_max_record_size(StreamARN=arn, MaxRecordSizeInKiB=2048)


def test_a_provisioned_stream_has_no_warm_throughput(kinesis, stream):
    """UpdateStreamWarmThroughput: provisioned capacity mode streams do not support warm throughput configuration."""
    name = stream()
    with rejected_with("ValidationException", "InvalidArgumentException"):
        kinesis.update_stream_warm_throughput(StreamName=name, WarmThroughputMiBps=100)


def test_a_provisioned_stream_cannot_change_to_auto_distribution(kinesis, stream):
    """Attempting to set AUTO on a provisioned stream results in an InvalidArgumentException."""
    name = stream()
    with rejected_with("InvalidArgumentException"):
        kinesis.update_stream_record_distribution_strategy(
            StreamARN=arn_of(kinesis, name), RecordDistributionStrategy="AUTO"
        )


def test_a_distribution_strategy_must_be_valid(kinesis, stream):
    """RecordDistributionStrategy is an enumeration of AUTO and USER_PARTITION_KEY."""
    name = stream()
    with rejected_with("ValidationException"):
        kinesis.update_stream_record_distribution_strategy(
            StreamARN=arn_of(kinesis, name), RecordDistributionStrategy="RANDOM"
        )


def test_an_account_has_no_commitment(kinesis):
    """DescribeAccountSettings returns the minimum throughput billing commitment, which is DISABLED by default."""
    settings = kinesis.describe_account_settings()
    assert settings["MinimumThroughputBillingCommitment"]["Status"] == "DISABLED"


def test_a_commitment_must_be_valid(kinesis):
    """MinimumThroughputBillingCommitmentInputStatus is an enumeration of ENABLED and DISABLED."""
    with rejected_with("ValidationException"):
        kinesis.update_account_settings(MinimumThroughputBillingCommitment={"Status": "MAYBE"})
