"""The limits of the service, each with its source as of 2026-11-23.

API: https://docs.aws.amazon.com/kinesis/latest/APIReference/ (the text that botocore's model carries).
QUOTAS: https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
"""

from __future__ import annotations

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

#: Limits "a day" hold for a rolling period of 24 hours.
DAY_SECONDS: Final = 86_400.0

# --- One shard (API, CreateStream) ----------------------------------------------------------------

#: "Each shard can support writes up to 1,000 records per second, up to a maximum data write total of 1 MiB per second."
SHARD_WRITE_RECORDS_PER_SECOND: Final = 1_000
SHARD_WRITE_BYTES_PER_SECOND: Final = MIB
#: "Each shard can support reads up to five transactions per second, up to a maximum data read total of 2 MiB per
#: second."
SHARD_READ_CALLS_PER_SECOND: Final = 5
SHARD_READ_BYTES_PER_SECOND: Final = 2 * MIB

# --- One request (API, PutRecords and GetRecords) -------------------------------------------------

#: "Each PutRecords request can support up to 500 records."
PUT_RECORDS: Final = 500
#: "... up to a limit of 10 MiB for the entire request, including partition keys."
PUT_BYTES: Final = 10 * MIB
#: "The maximum number of records that can be returned per call is 10,000."
GET_RECORDS: Final = 10_000
#: "The maximum size of data that GetRecords can return is 10 MiB."
GET_BYTES: Final = 10 * MIB
#: "A shard iterator expires 5 minutes after it is returned to the requester."
ITERATOR_SECONDS: Final = 300
#: "Tokens expire after 300 seconds."
TOKEN_SECONDS: Final = 300

# --- One subscription (API, SubscribeToShard) -----------------------------------------------------

#: "[...] for up to 5 minutes, after which time you need to call SubscribeToShard again".
SUBSCRIPTION_SECONDS: Final = 300.0
#: "If you call SubscribeToShard again with the same ConsumerARN and ShardId within 5 seconds of a successful call,
#: you'll get a ResourceInUseException. If you call [it] 5 seconds or more after a successful call, the second call
#: takes over the subscription".
SUBSCRIPTION_HOLD_SECONDS: Final = 5.0
#: Not documented: the largest event (one second's worth), and the pause between events of an idle shard.
PUSH_BYTES: Final = 2 * MIB
PUSH_IDLE_SECONDS: Final = 5.0

# --- One record ----------------------------------------------------------------------------------

#: A new stream takes records of up to 1 MiB; MaxRecordSizeInKiB raises it to 10 MiB (API, CreateStream).
RECORD_KIB: Final = 1_024
RECORD_KIB_MAX: Final = 10_240
#: "Partition keys are Unicode strings, with a maximum length limit of 256 characters for each key."
PARTITION_KEY_CHARACTERS: Final = 256
#: MD5 has 128 bits, and hash keys run from 0 to 2^128 - 1.
HASH_KEY_MAX: Final = 2**128 - 1

# --- One stream ----------------------------------------------------------------------------------

#: "By default, data records are accessible for 24 hours." The maximum is 8760 hours (365 days).
RETENTION_HOURS: Final = 24
RETENTION_HOURS_MAX: Final = 8_760
#: "You can add up to 50 tags per resource."
TAGS: Final = 50
#: "Scale more than ten times per rolling 24-hour period per stream" is rejected, and so is a stream of over 10,000
#: shards.
RESIZES_A_DAY: Final = 10
RESIZE_SHARDS: Final = 10_000
#: QUOTAS: a new on-demand stream takes 4 MB/s, which four shards do.
ON_DEMAND_SHARDS: Final = 4
#: "By default, you cannot [...] scale to more than 10 GiBps for an on-demand stream" (API, UpdateStreamWarmThroughput).
WARM_MIB: Final = 10_240
#: QUOTAS: "For each data stream [...] you can switch between on-demand and provisioned twice within 24 hours."
MODE_CHANGES_A_DAY: Final = 2
#: "You can successfully apply a new [...] key 25 times in a rolling 24-hour period", and disable it as often.
ENCRYPTION_CHANGES_A_DAY: Final = 25
#: "With On-demand Advantage streams, you can register up to 50 consumers per stream [...]. With On-demand Standard and
#: Provisioned streams, [...] up to 20" (API, RegisterStreamConsumer). Advantage is an account's billing commitment.
CONSUMERS: Final = 20
CONSUMERS_ADVANTAGE: Final = 50

# --- One account (QUOTAS) -------------------------------------------------------------------------

#: In us-east-1, us-west-2 and eu-west-1; 1,000 or 6,000 elsewhere.
ACCOUNT_SHARDS: Final = 20_000
ON_DEMAND_STREAMS: Final = 50
#: "[No] more than five streams in the CREATING state at any point in time" (API, CreateStream).
STREAMS_CREATING: Final = 5
#: "[No] more than 5 consumers in a CREATING status at the same time" (API, RegisterStreamConsumer).
CONSUMERS_CREATING: Final = 5

# --- Pages (API) ---------------------------------------------------------------------------------

#: ListShards: "The default value is 1000. [...] at most 1000 results are returned."
LIST_SHARDS: Final = 1_000
#: DescribeStream: "The default value is 100. [...] at most 100 results are returned."
DESCRIBE_SHARDS: Final = 100
#: ListStreams: "The default value is 100."
LIST_STREAMS: Final = 100
#: ListStreamConsumers: "The default value is 100."
LIST_CONSUMERS: Final = 100
