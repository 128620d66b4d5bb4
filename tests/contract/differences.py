"""The known differences between each server and the documentation, by case, with the behaviour of the server.

The docstring of a case is the sentence of the documentation that it tests. The cases are written from the service's
reference and model; where the reference is ambiguous, a case accepts every reading of it. A difference is therefore an
error of the server. The mildest kind is "returns InvalidArgumentException": the model has the constraint but not the
name of its error, and the service is known to return ValidationException (kinesalite's messages were recorded from it).

Each difference is an xfail(strict=True) of its case on its server, so that the table stays true: a difference that no
longer exists fails the suite. `python -m tests.contract.differences` writes the table to README.md, which a test
compares with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.contract.cases import cases, operations_of
from tests.contract.servers import KINESALITE, KINESIS_MOCK, MOTO, TITLES, TRUCKSTREAM

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def _operations(names: str) -> frozenset[str]:
    return frozenset(names.split())


#: Operations that a server does not have. Every case that calls one of them is expected to fail.
LACKS: Final[Mapping[str, frozenset[str]]] = {
    KINESALITE: _operations(
        """
        DeleteResourcePolicy DeregisterStreamConsumer DescribeAccountSettings DescribeLimits
        DescribeStreamConsumer DisableEnhancedMonitoring EnableEnhancedMonitoring GetResourcePolicy
        ListStreamConsumers ListTagsForResource PutResourcePolicy RegisterStreamConsumer StartStreamEncryption
        StopStreamEncryption SubscribeToShard TagResource UntagResource UpdateAccountSettings
        UpdateMaxRecordSize UpdateShardCount UpdateStreamMode UpdateStreamRecordDistributionStrategy
        UpdateStreamWarmThroughput
        """
    ),
}

#: server -> case, or case[parameters] -> behaviour of the server.
KNOWN: Final[Mapping[str, Mapping[str, str]]] = {
    TRUCKSTREAM: {},
    KINESALITE: {
        "test_shards_are_paginated": "ignores MaxResults: all shards, no NextToken",
        "test_list_shards_accepts_an_arn": "does not support StreamARN",
        "test_list_shards_has_pages": "ignores MaxResults: all shards, no NextToken",
        "test_a_page_by_token_may_have_a_next_token": "ignores MaxResults: all shards, no NextToken",
        "test_a_token_excludes_a_stream_name": "never returns a NextToken",
        "test_a_token_excludes_a_start_shard": "never returns a NextToken",
        "test_an_invalid_token_is_rejected": "its process exits",
        "test_filter_at_latest": "ignores the filter",
        "test_filter_at_trim_horizon": "ignores the filter",
        "test_filter_after_shard_id": "ignores the filter",
        "test_filter_at_timestamp": "ignores the filter",
        "test_filter_from_timestamp": "ignores the filter",
        "test_filters_have_pages": "ignores MaxResults: all shards, no NextToken",
        "test_filter_after_shard_id_needs_a_shard_id": "accepts the request",
        "test_filter_by_time_needs_a_timestamp": "accepts the request",
        "test_a_filter_needs_a_type": "accepts the request",
        "test_a_filter_has_a_valid_type": "accepts the request",
        "test_put_record_accepts_an_arn": "does not support StreamARN",
        "test_an_explicit_hash_key_is_a_decimal_number[-1]": "returns InvalidArgumentException",
        "test_an_explicit_hash_key_is_a_decimal_number[01]": "accepts the request",
        "test_an_explicit_hash_key_is_a_decimal_number[1.5]": "accepts the request",
        "test_put_record_includes_the_partition_key_in_the_size": "accepts the request",
        "test_put_records_includes_the_partition_key_in_the_size": "accepts the request",
        "test_put_record_rejects_10_mib_plus_1_byte": "returns 413",
        "test_put_records_accepts_10_mib": "PutRecords returns 413",
        "test_put_records_rejects_more_than_10_mib": "returns 413",
        "test_put_records_accepts_an_arn": "does not support StreamARN",
        "test_a_dry_run_of_put_record_stores_nothing": "accepts the request",
        "test_a_dry_run_of_put_records_stores_nothing": "accepts the request",
        "test_get_shard_iterator_accepts_an_arn": "does not support StreamARN",
        "test_a_dry_run_of_get_shard_iterator_returns_no_iterator": "accepts the request",
        "test_a_reader_before_the_tip_is_behind": "always returns 0 as MillisBehindLatest",
        "test_get_records_returns_at_most_10_mib": "returns 12 MiB",
        "test_a_dry_run_of_get_records_returns_no_records": "accepts the request",
        "test_the_end_of_a_split_shard_names_its_children": "returns no ChildShards",
        "test_the_end_of_a_merged_shard_names_its_child": "returns no ChildShards",
        "test_split_shard_accepts_an_arn": "does not support StreamARN",
        "test_a_split_needs_a_valid_hash_key[-1]": "returns InvalidArgumentException",
        "test_a_split_needs_a_valid_hash_key[01]": "returns InvalidArgumentException",
        "test_a_split_of_a_closed_shard_is_rejected": "accepts the request",
        "test_a_split_of_an_on_demand_stream_is_rejected": "has no on-demand streams",
        "test_a_merge_of_a_closed_shard_is_rejected": "accepts the request",
        "test_a_merge_in_an_on_demand_stream_is_rejected": "has no on-demand streams",
        "test_retention_has_a_maximum_of_a_year": "its maximum is a week",
        "test_retention_requires_an_active_stream": "accepts the request",
        "test_only_five_streams_may_be_creating": "allows any number of streams in CREATING",
        "test_an_on_demand_stream_has_four_shards": "has no on-demand streams",
        "test_a_stream_may_be_created_with_tags": "ignores the tags",
        "test_a_stream_may_be_created_for_large_records": "has no MaxRecordSizeInKiB",
        "test_the_record_size_of_a_new_stream_has_a_range": "accepts the request",
        "test_a_provisioned_stream_cannot_be_created_with_auto_distribution": "accepts the request",
        "test_a_stream_is_deleted_by_arn": "does not support StreamARN",
        "test_describe_stream_has_pages": "ignores Limit",
        "test_describe_stream_accepts_an_arn": "does not support StreamARN",
        "test_a_summary_has_the_capacity_mode": "has no StreamModeDetails",
        "test_a_summary_has_the_maximum_record_size": "has no MaxRecordSizeInKiB",
        "test_streams_are_listed_by_token": "returns no NextToken",
        "test_streams_are_listed_with_their_summaries": "has no StreamSummaries",
        "test_tags_are_added_by_arn": "does not support StreamARN",
        "test_a_stream_has_at_most_50_tags": "accepts only 10 tags a call",
        "test_tags_require_an_active_stream": "accepts the request",
    },
    KINESIS_MOCK: {
        "test_the_name_of_a_consumer_has_a_pattern": "returns InvalidArgumentException",
        "test_consumers_are_listed_in_pages": "returns no NextToken",
        "test_an_invalid_token_of_consumers_is_rejected": "accepts the request",
        "test_list_stream_consumers_has_a_range_of_max_results": "returns InvalidArgumentException",
        "test_a_subscriber_receives_the_records": "sends no initial-response event, which botocore needs",
        "test_a_consumer_has_one_subscription_to_a_shard": "accepts the second subscription",
        "test_an_unknown_consumer_cannot_subscribe": "sends the error as an event that botocore cannot parse",
        "test_a_subscription_needs_a_valid_starting_position": "returns SerializationException",
        "test_a_dry_run_of_subscribe_to_shard_does_not_subscribe": "accepts the request",
        "test_list_shards_has_a_range_of_max_results[0]": "returns 500",
        "test_list_shards_has_a_range_of_max_results[10001]": "accepts the request",
        "test_filter_at_trim_horizon": "lists all shards",
        "test_filter_at_timestamp": "also lists the children, which did not exist at that time",
        "test_a_filter_needs_a_type": "returns SerializationException",
        "test_a_filter_has_a_valid_type": "returns SerializationException",
        "test_an_unknown_arn_is_not_found[UpdateStreamRecordDistributionStrategy]": "returns AccessDeniedException",
        "test_an_explicit_hash_key_is_a_decimal_number[-1]": "returns InvalidArgumentException",
        "test_an_explicit_hash_key_is_a_decimal_number[01]": "returns InvalidArgumentException",
        "test_an_explicit_hash_key_is_a_decimal_number[abc]": "returns 500",
        "test_an_explicit_hash_key_is_a_decimal_number[1.5]": "returns 500",
        "test_put_records_rejects_an_invalid_explicit_hash_key": "returns 500",
        "test_put_record_rejects_a_partition_key_of_this_length": "returns InvalidArgumentException",
        "test_put_records_rejects_a_partition_key_of_this_length": "returns InvalidArgumentException",
        "test_put_record_needs_a_key": "returns SerializationException",
        "test_put_records_needs_a_key": "returns SerializationException",
        "test_put_record_needs_data": "returns SerializationException",
        "test_put_record_includes_the_partition_key_in_the_size": "accepts the request",
        "test_put_records_rejects_1_mib_plus_1_byte": "accepts the request",
        "test_put_records_includes_the_partition_key_in_the_size": "accepts the request",
        "test_put_records_rejects_501_records": "accepts the request",
        "test_put_records_rejects_0_records": "accepts the request, and returns 0 records",
        "test_put_records_needs_records": "returns SerializationException",
        "test_a_sequence_number_for_ordering_is_a_number": "returns 500",
        "test_a_dry_run_of_put_record_stores_nothing": "accepts the request",
        "test_a_dry_run_of_put_records_stores_nothing": "accepts the request",
        "test_the_maximum_record_size_can_be_raised": "accepts the request",
        "test_get_shard_iterator_needs_a_valid_type": "returns SerializationException",
        "test_get_shard_iterator_needs_a_type": "returns SerializationException",
        "test_a_starting_sequence_number_is_a_number": "returns InvalidArgumentException",
        "test_a_starting_sequence_number_must_come_from_the_service": "accepts the request",
        "test_a_shard_id_has_a_pattern": "returns InvalidArgumentException",
        "test_a_dry_run_of_get_shard_iterator_returns_no_iterator": "accepts the request",
        "test_an_invalid_iterator_is_rejected": "returns 500",
        "test_an_iterator_has_a_range_of_lengths": "returns 500",
        "test_get_records_needs_an_iterator": "returns SerializationException",
        "test_a_dry_run_of_get_records_returns_no_records": "accepts the request",
        "test_a_split_closes_the_parent": "every closed shard ends at 9223372036854775807",
        "test_a_split_needs_a_valid_hash_key[-1]": "returns InvalidArgumentException",
        "test_a_split_needs_a_valid_hash_key[01]": "returns InvalidArgumentException",
        "test_a_split_needs_a_valid_hash_key[half]": "returns 500",
        "test_a_split_at_the_start_is_rejected": "accepts the request",
        "test_a_split_of_an_on_demand_stream_is_rejected": "accepts the request",
        "test_a_merge_in_an_on_demand_stream_is_rejected": "accepts the request",
        "test_a_stream_is_scaled_by_half_its_shards": "creates shards of unequal size",
        "test_a_stream_is_scaled_ten_times_a_day": "accepts the request",
        "test_a_target_shard_count_is_positive": "accepts the request",
        "test_scaling_needs_a_valid_type": "returns SerializationException",
        "test_scaling_of_an_on_demand_stream_is_rejected": "accepts the request",
        "test_scaling_accepts_an_arn": "scales, but returns no StreamARN",
        "test_retention_is_required": "returns SerializationException",
        "test_encryption_needs_a_valid_type": "returns SerializationException",
        "test_encryption_needs_a_key": "returns InvalidArgumentException",
        "test_shard_level_metrics_need_valid_names[none]": "accepts the request",
        "test_shard_level_metrics_need_valid_names[unknown]": "returns SerializationException",
        "test_monitoring_requires_an_active_stream": "accepts the request",
        "test_a_stream_changes_its_mode_twice_a_day": "accepts the request",
        "test_a_mode_must_be_valid": "returns SerializationException",
        "test_the_maximum_record_size_has_a_range": "returns InvalidArgumentException",
        "test_the_maximum_record_size_requires_an_active_stream": "accepts the request",
        "test_a_provisioned_stream_cannot_change_to_auto_distribution": "returns AccessDeniedException",
        "test_a_distribution_strategy_must_be_valid": "returns AccessDeniedException",
        "test_an_account_has_no_commitment": "does not respond",
        "test_a_commitment_must_be_valid": "returns SerializationException",
        "test_a_stream_name_has_a_pattern": "returns InvalidArgumentException",
        "test_a_stream_name_is_required": "returns SerializationException",
        "test_a_shard_count_is_positive": "returns LimitExceededException",
        "test_a_provisioned_stream_needs_a_shard_count": "accepts the request",
        "test_the_record_size_of_a_new_stream_has_a_range": "returns InvalidArgumentException",
        "test_a_provisioned_stream_cannot_be_created_with_auto_distribution": "accepts the request",
        "test_describe_stream_has_a_range_of_limits": "returns InvalidArgumentException",
        "test_a_summary_has_the_maximum_record_size": "has no MaxRecordSizeInKiB",
        "test_streams_are_listed_by_token": "returns no NextToken",
        "test_streams_are_listed_with_their_summaries": "has no StreamSummaries",
        "test_list_streams_has_a_range_of_limits": "returns InvalidArgumentException",
        "test_list_tags_has_a_range_of_limits[0]": "returns InvalidArgumentException",
        "test_list_tags_has_a_range_of_limits[51]": "accepts the request",
        "test_a_stream_has_at_most_50_tags": "accepts only 10 tags a call",
        "test_tags_have_limited_sizes[no tags]": "accepts the request",
        "test_tags_have_limited_sizes[no key]": "returns InvalidArgumentException",
        "test_tags_have_limited_sizes[a key of 129]": "returns InvalidArgumentException",
        "test_tags_have_limited_sizes[a value of 257]": "returns InvalidArgumentException",
        "test_tags_have_limited_sizes[201 tags]": "returns InvalidArgumentException",
        "test_tags_require_an_active_stream": "accepts the request",
        "test_tags_of_a_resource_require_an_active_stream": "accepts the request",
        "test_the_list_of_tags_to_remove_has_1_to_50_members[0]": "accepts the request",
        "test_the_list_of_tags_to_remove_has_1_to_50_members[51]": "returns InvalidArgumentException",
        "test_a_consumer_is_tagged": "ignores the tags given when it is registered",
        "test_a_resource_needs_a_valid_arn": "returns InvalidArgumentException",
        "test_a_policy_is_deleted": "accepts the request",
        "test_a_policy_must_be_json": "accepts the request",
    },
    MOTO: {
        "test_shards_are_paginated": "ListShards returns InvalidToken",
        "test_a_consumer_is_registered": "is ACTIVE immediately, and its ARN has no creation time",
        "test_a_summary_counts_the_consumers": "has no ConsumerCount",
        "test_the_name_of_a_consumer_is_unique": "accepts the request",
        "test_the_name_of_a_consumer_has_a_pattern[empty]": "accepts the request",
        "test_the_name_of_a_consumer_has_a_pattern[a b]": "accepts the request",
        "test_the_name_of_a_consumer_has_a_pattern[129 characters]": "accepts the request",
        "test_only_five_consumers_may_be_creating": "allows any number of consumers in CREATING",
        "test_a_stream_has_at_most_20_consumers": "accepts the request",
        "test_an_invalid_token_of_consumers_is_rejected": "accepts the request",
        "test_list_stream_consumers_has_a_range_of_max_results": "accepts the request",
        "test_a_consumer_is_deregistered_by_name": "returns 200, but keeps the consumer",
        "test_an_unknown_consumer_is_not_found": "accepts the request",
        "test_a_consumer_must_be_named": "returns ResourceNotFoundException",
        "test_a_subscriber_receives_the_records": "SubscribeToShard returns 500",
        "test_a_consumer_has_one_subscription_to_a_shard": "SubscribeToShard returns 500",
        "test_an_unknown_consumer_cannot_subscribe": "returns 500",
        "test_a_subscription_needs_a_valid_starting_position": "returns 500",
        "test_a_dry_run_of_subscribe_to_shard_does_not_subscribe": "returns 500",
        "test_list_shards_has_pages": "ListShards returns InvalidToken",
        "test_a_page_by_token_may_have_a_next_token": "ListShards returns InvalidToken",
        "test_a_token_excludes_a_stream_name": "accepts the request",
        "test_a_token_excludes_a_start_shard": "returns InvalidToken",
        "test_an_invalid_token_is_rejected": "returns ResourceNotFoundException",
        "test_list_shards_has_a_range_of_max_results": "accepts the request",
        "test_list_shards_starts_after_a_shard": "ignores ExclusiveStartShardId",
        "test_filter_at_latest": "ignores the filter",
        "test_filter_at_trim_horizon": "ignores the filter",
        "test_filter_after_shard_id": "ignores the filter",
        "test_filter_at_timestamp": "ignores the filter",
        "test_filter_from_timestamp": "ignores the filter",
        "test_filters_have_pages": "ListShards returns InvalidToken",
        "test_filter_after_shard_id_needs_a_shard_id": "accepts the request",
        "test_filter_by_time_needs_a_timestamp": "accepts the request",
        "test_a_filter_needs_a_type": "accepts the request",
        "test_a_filter_has_a_valid_type": "accepts the request",
        "test_an_unknown_stream_is_not_found[UpdateStreamWarmThroughput]": "returns 500",
        "test_a_stream_must_be_named[AddTagsToStream]": "returns ResourceNotFoundException",
        "test_a_stream_must_be_named[DecreaseStreamRetentionPeriod]": "returns ResourceNotFoundException",
        "test_a_stream_must_be_named[DeleteStream]": "returns ResourceNotFoundException",
        "test_a_stream_must_be_named[DescribeStream]": "returns ResourceNotFoundException",
        "test_a_stream_must_be_named[DescribeStreamSummary]": "returns ResourceNotFoundException",
        "test_a_stream_must_be_named[DisableEnhancedMonitoring]": "returns ResourceNotFoundException",
        "test_a_stream_must_be_named[EnableEnhancedMonitoring]": "returns ResourceNotFoundException",
        "test_a_stream_must_be_named[GetShardIterator]": "returns ResourceNotFoundException",
        "test_a_stream_must_be_named[IncreaseStreamRetentionPeriod]": "returns ResourceNotFoundException",
        "test_a_stream_must_be_named[ListShards]": "returns ResourceNotFoundException",
        "test_a_stream_must_be_named[ListTagsForStream]": "returns ResourceNotFoundException",
        "test_a_stream_must_be_named[MergeShards]": "returns ResourceNotFoundException",
        "test_a_stream_must_be_named[PutRecord]": "returns ResourceNotFoundException",
        "test_a_stream_must_be_named[PutRecords]": "returns ResourceNotFoundException",
        "test_a_stream_must_be_named[RemoveTagsFromStream]": "returns ResourceNotFoundException",
        "test_a_stream_must_be_named[SplitShard]": "returns ResourceNotFoundException",
        "test_a_stream_must_be_named[StartStreamEncryption]": "returns ResourceNotFoundException",
        "test_a_stream_must_be_named[StopStreamEncryption]": "returns ResourceNotFoundException",
        "test_a_stream_must_be_named[UpdateShardCount]": "returns ResourceNotFoundException",
        "test_a_stream_must_be_named[UpdateStreamWarmThroughput]": "returns 500",
        "test_an_unknown_arn_is_not_found[DeregisterStreamConsumer]": "returns 500",
        "test_an_unknown_arn_is_not_found[DescribeStreamConsumer]": "returns 500",
        "test_an_unknown_arn_is_not_found[ListStreamConsumers]": "returns 500",
        "test_an_unknown_arn_is_not_found[ListTagsForResource]": "returns 500",
        "test_an_unknown_arn_is_not_found[PutResourcePolicy]": "accepts the request",
        "test_an_unknown_arn_is_not_found[RegisterStreamConsumer]": "returns 500",
        "test_an_unknown_arn_is_not_found[TagResource]": "returns 500",
        "test_an_unknown_arn_is_not_found[UntagResource]": "returns 500",
        "test_an_unknown_arn_is_not_found[UpdateMaxRecordSize]": "returns 500",
        "test_an_unknown_arn_is_not_found[UpdateStreamMode]": "returns 500",
        "test_an_unknown_arn_is_not_found[UpdateStreamRecordDistributionStrategy]": "returns 500",
        "test_the_last_hash_key_is_in_the_last_shard": "PutRecord returns 500",
        "test_an_explicit_hash_key_is_a_decimal_number[-1]": "returns 500",
        "test_an_explicit_hash_key_is_a_decimal_number[01]": "accepts the request",
        "test_an_explicit_hash_key_is_a_decimal_number[abc]": "returns 500",
        "test_an_explicit_hash_key_is_a_decimal_number[1.5]": "returns 500",
        "test_put_records_rejects_an_invalid_explicit_hash_key": "returns 500",
        "test_put_record_rejects_a_partition_key_of_this_length[0]": "accepts the request",
        "test_put_record_rejects_a_partition_key_of_this_length[257]": "returns InvalidArgumentException",
        "test_put_records_rejects_a_partition_key_of_this_length[0]": "accepts the request",
        "test_put_records_rejects_a_partition_key_of_this_length[257]": "returns InvalidArgumentException",
        "test_put_record_needs_data": "returns 500",
        "test_put_record_rejects_1_mib_plus_1_byte": "accepts the request",
        "test_put_record_includes_the_partition_key_in_the_size": "accepts the request",
        "test_put_record_rejects_10_mib_plus_1_byte": "accepts the request",
        "test_put_records_accepts_10_mib": "PutRecords returns InvalidArgumentException",
        "test_put_records_responds_in_the_order_of_the_request": "numbers each shard from 1, so that numbers repeat",
        "test_put_records_rejects_0_records": "accepts the request, and returns 0 records",
        "test_put_records_needs_records": "returns 500",
        "test_sequence_numbers_are_unique_in_the_stream": "numbers each shard from 1, so that numbers repeat",
        "test_a_sequence_number_for_ordering_is_a_number": "accepts the request",
        "test_a_dry_run_of_put_record_stores_nothing": "accepts the request",
        "test_a_dry_run_of_put_records_stores_nothing": "accepts the request",
        "test_records_go_to_the_children_after_a_split": "keeps the parent open",
        "test_the_maximum_record_size_can_be_raised": "UpdateMaxRecordSize returns 500",
        "test_get_shard_iterator_needs_a_valid_type": "returns InvalidArgumentException",
        "test_get_shard_iterator_needs_a_type": "returns InvalidArgumentException",
        "test_an_iterator_by_sequence_number_needs_one": "returns 500",
        "test_an_iterator_by_time_needs_a_timestamp": "accepts the request",
        "test_a_starting_sequence_number_is_a_number": "returns 500",
        "test_a_starting_sequence_number_must_come_from_the_service": "accepts the request",
        "test_a_shard_id_has_a_pattern": "returns ResourceNotFoundException",
        "test_a_dry_run_of_get_shard_iterator_returns_no_iterator": "accepts the request",
        "test_get_records_has_a_range_of_limits": "accepts the request",
        "test_get_records_returns_at_most_10_mib": "returns 12 MiB",
        "test_an_invalid_iterator_is_rejected": "returns 500",
        "test_an_iterator_has_a_range_of_lengths": "returns 500",
        "test_get_records_needs_an_iterator": "returns 500",
        "test_a_dry_run_of_get_records_returns_no_records": "accepts the request",
        "test_a_closed_shard_stays_readable": "keeps the parent open",
        "test_the_end_of_a_closed_shard_has_no_next_iterator": "keeps the parent open",
        "test_the_end_of_a_split_shard_names_its_children": "returns no ChildShards",
        "test_the_end_of_a_merged_shard_names_its_child": "returns no ChildShards",
        "test_a_split_creates_two_children": "keeps the parent open",
        "test_a_split_closes_the_parent": "the parent ends at 1, after the start of its children",
        "test_a_split_stream_is_updating_for_a_while": "is ACTIVE immediately",
        "test_split_shard_accepts_an_arn": "keeps the parent open",
        "test_a_split_needs_a_valid_hash_key[01]": "accepts the request",
        "test_a_split_requires_an_active_stream": "accepts the request",
        "test_a_split_of_an_on_demand_stream_is_rejected": "accepts the request",
        "test_a_merge_creates_one_child": "keeps a parent open",
        "test_a_merged_stream_is_updating_for_a_while": "is ACTIVE immediately",
        "test_a_merge_of_a_closed_shard_is_rejected": "accepts the request",
        "test_a_merge_requires_an_active_stream": "accepts the request",
        "test_a_merge_in_an_on_demand_stream_is_rejected": "accepts the request",
        "test_a_stream_is_scaled_by_half_its_shards": "creates shards of unequal size",
        "test_a_scaled_stream_is_updating_for_a_while": "is ACTIVE immediately",
        "test_a_stream_is_at_most_doubled": "accepts the request",
        "test_a_stream_is_at_most_halved": "accepts the request",
        "test_a_stream_is_scaled_ten_times_a_day": "accepts the request",
        "test_a_target_shard_count_is_positive": "does not respond: it loops forever",
        "test_scaling_needs_a_valid_type": "accepts the request",
        "test_scaling_requires_an_active_stream": "accepts the request",
        "test_scaling_accepts_an_arn": "scales, but returns no StreamARN",
        "test_retention_is_required": "returns 500",
        "test_retention_requires_an_active_stream": "accepts the request",
        "test_puts_to_an_encrypted_stream_return_the_encryption_type": "returns no EncryptionType",
        "test_records_of_an_encrypted_stream_have_the_encryption_type": "returns no EncryptionType",
        "test_a_stream_is_updating_while_encryption_starts": "is ACTIVE immediately",
        "test_encryption_needs_a_valid_type": "accepts the request",
        "test_encryption_needs_a_key": "accepts the request",
        "test_encryption_requires_an_active_stream": "accepts the request",
        "test_all_shard_level_metrics_are_enabled": 'lists "ALL" as the only metric',
        "test_shard_level_metrics_need_valid_names[none]": "accepts the request",
        "test_shard_level_metrics_need_valid_names[unknown]": "accepts the request",
        "test_monitoring_requires_an_active_stream": "accepts the request",
        "test_a_stream_changes_its_mode_twice_a_day": "accepts the request",
        "test_a_mode_must_be_valid": "accepts the request",
        "test_a_change_of_mode_requires_an_active_stream": "accepts the request",
        "test_the_maximum_record_size_has_a_range": "returns 500",
        "test_the_maximum_record_size_requires_an_active_stream": "returns 500",
        "test_a_provisioned_stream_has_no_warm_throughput": "returns 500",
        "test_a_provisioned_stream_cannot_change_to_auto_distribution": "returns 500",
        "test_a_distribution_strategy_must_be_valid": "returns 500",
        "test_an_account_has_no_commitment": "DescribeAccountSettings returns 500",
        "test_a_commitment_must_be_valid": "returns 500",
        "test_a_new_stream_becomes_active": "is ACTIVE immediately",
        "test_a_stream_name_has_a_pattern": "accepts the request",
        "test_a_stream_name_is_required": "accepts the request",
        "test_a_shard_count_is_positive[0]": "returns 500",
        "test_a_shard_count_is_positive[-1]": "accepts the request",
        "test_a_provisioned_stream_needs_a_shard_count": "returns 500",
        "test_more_shards_than_the_account_may_have_are_rejected": "accepts the request",
        "test_only_five_streams_may_be_creating": "allows any number of streams in CREATING",
        "test_a_stream_may_be_created_with_tags": "ignores the tags",
        "test_a_stream_may_be_created_for_large_records": "has no MaxRecordSizeInKiB",
        "test_the_record_size_of_a_new_stream_has_a_range": "accepts the request",
        "test_a_provisioned_stream_cannot_be_created_with_auto_distribution": "accepts the request",
        "test_a_stream_is_deleting_for_a_while": "is deleted immediately",
        "test_the_deletion_of_a_stream_with_consumers_is_rejected": "accepts the request",
        "test_describe_stream_has_pages": "ignores ExclusiveStartShardId",
        "test_describe_stream_has_a_range_of_limits": "accepts the request",
        "test_a_summary_of_a_new_stream_has_the_defaults": "has no ConsumerCount",
        "test_a_summary_has_the_maximum_record_size": "has no MaxRecordSizeInKiB",
        "test_limits_are_described": "counts 0 open shards",
        "test_limits_include_the_number_of_on_demand_streams": "counts 0 on-demand streams",
        "test_streams_are_listed_by_token": "returns no NextToken",
        "test_list_streams_has_a_range_of_limits": "accepts the request",
        "test_tags_are_listed_in_pages": "repeats the tag of ExclusiveStartTagKey",
        "test_list_tags_has_a_range_of_limits": "accepts the request",
        "test_a_stream_has_at_most_50_tags": "accepts the request",
        "test_tags_have_limited_sizes": "accepts the request",
        "test_tags_have_valid_characters": "accepts the request",
        "test_tags_require_an_active_stream": "accepts the request",
        "test_tags_of_a_resource_require_an_active_stream": "returns 500",
        "test_the_list_of_tags_to_remove_has_1_to_50_members": "accepts the request",
        "test_a_resource_is_tagged": "TagResource returns 500",
        "test_a_resource_is_untagged": "TagResource returns 500",
        "test_a_stream_has_the_same_tags_by_name_and_by_arn": "ListTagsForResource returns 500",
        "test_a_resource_has_at_most_50_tags": "returns 500",
        "test_a_consumer_is_tagged": "TagResource returns 500",
        "test_a_resource_needs_a_valid_arn": "returns 500",
        "test_a_policy_must_be_json": "accepts the request",
    },
}

#: Members of responses that break the service's model, listed here instead of at every case that receives them.
BREAKS_THE_MODEL: Final[Mapping[str, tuple[str, ...]]] = {
    MOTO: ("ConsumerARN: 'arn:",),  # without the creation time at the end
}

#: Cases after which a server is started again, because it accepted something that disturbs later cases.
SPOILED_BY: Final = {
    (MOTO, "test_a_stream_name_is_required"): "a stream without a name, which no request can delete",
    (MOTO, "test_a_stream_name_has_a_pattern[empty]"): "a stream whose name no client accepts",
    (MOTO, "test_a_stream_name_has_a_pattern[a b]"): "a stream whose name no client accepts",
    (MOTO, "test_a_stream_name_has_a_pattern[a/b]"): "a stream whose name no client accepts",
    (MOTO, "test_a_stream_name_has_a_pattern[129 characters]"): "a stream whose name no client accepts",
}

#: Cases that a server sometimes passes and sometimes fails, with the reason. They do not run on this server.
UNDECIDED: Final = {
    (KINESIS_MOCK, "test_filter_from_timestamp"): "sometimes lists a parent that was closed before the timestamp",
    (KINESIS_MOCK, "test_get_records_returns_at_most_10_mib"): "takes 12 s, which few clients wait",
    (KINESIS_MOCK, "test_put_record_rejects_10_mib_plus_1_byte"): "takes 12 s, which few clients wait",
    (KINESIS_MOCK, "test_put_records_accepts_10_mib"): "takes 8 s, which few clients wait",
    (KINESIS_MOCK, "test_put_records_rejects_more_than_10_mib"): "takes 8 s, which few clients wait",
    (KINESIS_MOCK, "test_only_five_consumers_may_be_creating"): "counts them or not, depending on their timing",
    (KINESIS_MOCK, "test_a_consumer_is_deregistered"): "stays DELETING or not, depending on earlier cases",
    (KINESIS_MOCK, "test_a_consumer_is_deregistered_by_name"): "stays DELETING or not, depending on earlier cases",
}

PAGE: Final = Path(__file__).with_name("README.md")


def reason_of(server: str, case: str) -> str | None:
    """Return why this case is expected to fail on this server, or None if it must pass."""
    name = case.partition("[")[0]
    known = KNOWN[server]
    if behaviour := known.get(case) or known.get(name):
        return f"{behaviour}; documented: {cases()[name].sentence}"
    if lacking := sorted(LACKS.get(server, frozenset()) & operations_of(case)):
        return f"lacks {', '.join(lacking)}"
    return None


def render() -> str:
    """Return the page of differences, in Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield from (
        "# One contract, four servers",
        "",
        "This page lists how four servers differ from the documentation of Amazon Kinesis Data Streams. It is",
        "generated from `differences.py` by `python -m tests.contract.differences`, and a test compares the two. Each",
        "difference is a strict expected failure: when a server no longer has it, the suite fails until the line is",
        "deleted.",
        "",
        f"{len(cases())} cases were written from the service's reference and model. They run with boto3, and some with",
        'aiobotocore, against truckstream.local, kinesalite, kinesis-mock and moto. The column "documented" has the',
        "sentence of the documentation, or the shape of botocore's model, that the case tests.",
        "",
        "The mildest difference is `returns InvalidArgumentException`: the model has the constraint but not the name",
        "of its error, and the service is known to return `ValidationException`.",
        "",
        "| server | cases with a difference | operations it lacks |",
        "|---|---|---|",
    )
    for server, title in TITLES.items():
        yield f"| {title} | {len(KNOWN[server])} | {len(LACKS.get(server, ()))} |"
    for server, title in TITLES.items():
        yield from ("", f"## {title}", "")
        if lacking := LACKS.get(server):
            yield from (f"Lacks {', '.join(sorted(lacking))}.", "")
        if broken := BREAKS_THE_MODEL.get(server):
            yield from (
                f"Every response with {', '.join(each.split(':')[0] for each in broken)} breaks the model.",
                "",
            )
        if not KNOWN[server]:
            yield "No difference."
            continue
        yield from ("| case | documented | behaviour |", "|---|---|---|")
        order = list(cases())
        for case, behaviour in sorted(KNOWN[server].items(), key=lambda item: order.index(item[0].partition("[")[0])):
            name, _, parameters = case.partition("[")
            title_of_case = name.removeprefix("test_").replace("_", " ") + (
                f" ({parameters[:-1]})" if parameters else ""
            )
            yield f"| {title_of_case} | {_cell(cases()[name].sentence)} | {_cell(behaviour)} |"
    yield from ("", "## Cases that sometimes pass", "", "| server | case | reason |", "|---|---|---|")
    for (server, case), reason in UNDECIDED.items():
        yield f"| {TITLES[server]} | {_words(case)} | {reason} |"


def _words(name: str) -> str:
    return name.removeprefix("test_").replace("_", " ")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(render())
