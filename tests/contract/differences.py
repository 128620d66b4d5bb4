"""What a server does otherwise than the documentation says: (server, case) -> what it does instead.

The sentence of the documentation stands in the case itself, as its docstring: the cases are written from the service's
reference and model, and where the reference leaves room they take every reading of it. So in each line the
documentation is right and the server is not. One kind is milder than the others, "answers InvalidArgumentException":
the model gives a constraint but not the name of its error, and ValidationException is what the service is known to
answer (kinesalite's texts were recorded from it).

Each line is an xfail(strict=True) of that case on that server, so the table can't go stale: a difference that is gone
fails the suite. `python -m tests.contract.differences` writes the table into README.md; a test holds it to that.
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


#: Operations that a server does not have: every case that calls one fails there.
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

#: server -> case, or case[parameters] -> what it does instead.
KNOWN: Final[Mapping[str, Mapping[str, str]]] = {
    TRUCKSTREAM: {},
    KINESALITE: {
        "test_shards_are_paginated": "ignores MaxResults: all shards, no NextToken",
        "test_list_shards_takes_an_arn": "knows no StreamARN",
        "test_list_shards_has_pages": "ignores MaxResults: all shards, no NextToken",
        "test_a_token_may_give_another_token": "ignores MaxResults: all shards, no NextToken",
        "test_a_token_and_a_name_are_not_given_together": "never answers a NextToken",
        "test_a_token_and_a_start_are_not_given_together": "never answers a NextToken",
        "test_a_made_up_token_is_refused": "its process dies",
        "test_filter_at_latest": "ignores the filter",
        "test_filter_at_trim_horizon": "ignores the filter",
        "test_filter_after_shard_id": "ignores the filter",
        "test_filter_at_timestamp": "ignores the filter",
        "test_filter_from_timestamp": "ignores the filter",
        "test_filters_have_pages": "ignores MaxResults: all shards, no NextToken",
        "test_filter_after_shard_id_needs_a_shard_id": "accepts it",
        "test_filter_by_time_needs_a_timestamp": "accepts it",
        "test_a_filter_needs_a_type": "accepts it",
        "test_a_filter_has_one_of_six_types": "accepts it",
        "test_put_record_takes_an_arn": "knows no StreamARN",
        "test_an_explicit_hash_key_is_a_decimal_number[-1]": "answers InvalidArgumentException",
        "test_an_explicit_hash_key_is_a_decimal_number[01]": "accepts it",
        "test_an_explicit_hash_key_is_a_decimal_number[1.5]": "accepts it",
        "test_put_record_counts_the_key_into_the_size": "accepts it",
        "test_put_records_counts_the_key_into_the_size": "accepts it",
        "test_put_record_refuses_10_mib_and_1": "answers 413",
        "test_put_records_takes_10_mib": "PutRecords answers 413",
        "test_put_records_refuses_more_than_10_mib": "answers 413",
        "test_put_records_takes_an_arn": "knows no StreamARN",
        "test_a_dry_run_of_put_record_stores_nothing": "accepts it",
        "test_a_dry_run_of_put_records_stores_nothing": "accepts it",
        "test_get_shard_iterator_takes_an_arn": "knows no StreamARN",
        "test_a_dry_run_of_get_shard_iterator_gives_none": "accepts it",
        "test_a_reader_before_the_tip_is_behind": "always answers a MillisBehindLatest of 0",
        "test_get_records_gives_at_most_10_mib": "answers 12 MiB at once",
        "test_a_dry_run_of_get_records_gives_none": "accepts it",
        "test_the_end_of_a_split_shard_names_its_children": "answers no ChildShards",
        "test_the_end_of_a_merged_shard_names_its_child": "answers no ChildShards",
        "test_split_shard_takes_an_arn": "knows no StreamARN",
        "test_a_split_needs_a_hash_key[-1]": "answers InvalidArgumentException",
        "test_a_split_needs_a_hash_key[01]": "answers InvalidArgumentException",
        "test_a_split_of_a_closed_shard_is_refused": "accepts it",
        "test_a_split_of_an_on_demand_stream_is_refused": "has no on-demand streams",
        "test_a_merge_of_a_closed_shard_is_refused": "accepts it",
        "test_a_merge_in_an_on_demand_stream_is_refused": "has no on-demand streams",
        "test_retention_has_a_maximum_of_a_year": "has a maximum of a week",
        "test_retention_waits_for_an_active_stream": "accepts it",
        "test_only_five_streams_may_be_creating": "has any number of streams in CREATING",
        "test_an_on_demand_stream_has_four_shards": "has no on-demand streams",
        "test_a_stream_may_be_created_with_tags": "ignores the tags",
        "test_a_stream_may_be_created_for_large_records": "has no MaxRecordSizeInKiB",
        "test_a_stream_is_not_created_for_records_of_any_size": "accepts it",
        "test_a_provisioned_stream_has_no_distribution_strategy": "accepts it",
        "test_a_stream_is_deleted_by_arn": "knows no StreamARN",
        "test_describe_stream_has_pages": "ignores Limit",
        "test_describe_stream_takes_an_arn": "knows no StreamARN",
        "test_a_summary_tells_the_capacity_mode": "has no StreamModeDetails",
        "test_a_summary_tells_the_largest_record": "has no MaxRecordSizeInKiB",
        "test_streams_are_listed_by_token": "answers no NextToken",
        "test_streams_are_listed_with_their_summaries": "has no StreamSummaries",
        "test_tags_are_taken_by_arn": "knows no StreamARN",
        "test_a_stream_has_at_most_50_tags": "takes 10 tags a call",
        "test_tags_wait_for_an_active_stream": "accepts it",
    },
    KINESIS_MOCK: {
        "test_a_consumers_name_has_a_pattern": "answers InvalidArgumentException",
        "test_consumers_are_listed_in_pages": "answers no NextToken",
        "test_a_made_up_token_of_consumers_is_refused": "accepts it",
        "test_list_stream_consumers_has_a_range_of_limits": "answers InvalidArgumentException",
        "test_a_subscriber_is_sent_the_records": "sends events without an initial-response: botocore cannot parse them",
        "test_a_shard_has_one_subscription_of_a_consumer": "subscribes again",
        "test_an_unknown_consumer_does_not_subscribe": "sends the error as an event that botocore cannot parse",
        "test_a_subscription_has_a_starting_position": "answers SerializationException",
        "test_a_dry_run_of_subscribe_to_shard_does_not_subscribe": "subscribes",
        "test_list_shards_has_a_range_of_limits[0]": "answers 500",
        "test_list_shards_has_a_range_of_limits[10001]": "accepts it",
        "test_filter_at_trim_horizon": "lists all shards",
        "test_filter_at_timestamp": "lists the children too, which did not exist then",
        "test_a_filter_needs_a_type": "answers SerializationException",
        "test_a_filter_has_one_of_six_types": "answers SerializationException",
        "test_an_unknown_arn_is_not_found[UpdateStreamRecordDistributionStrategy]": "answers AccessDeniedException",
        "test_an_explicit_hash_key_is_a_decimal_number[-1]": "answers InvalidArgumentException",
        "test_an_explicit_hash_key_is_a_decimal_number[01]": "answers InvalidArgumentException",
        "test_an_explicit_hash_key_is_a_decimal_number[abc]": "answers 500",
        "test_an_explicit_hash_key_is_a_decimal_number[1.5]": "answers 500",
        "test_put_records_refuses_a_bad_explicit_hash_key": "answers 500",
        "test_put_record_refuses_a_key_of_that_length": "answers InvalidArgumentException",
        "test_put_records_refuses_a_key_of_that_length": "answers InvalidArgumentException",
        "test_put_record_needs_a_key": "answers SerializationException",
        "test_put_records_needs_a_key": "answers SerializationException",
        "test_put_record_needs_data": "answers SerializationException",
        "test_put_record_counts_the_key_into_the_size": "accepts it",
        "test_put_records_refuses_1_mib_and_1": "accepts it",
        "test_put_records_counts_the_key_into_the_size": "accepts it",
        "test_put_records_refuses_501": "accepts it",
        "test_put_records_refuses_0": "accepts it, with an answer of 0 records",
        "test_put_records_needs_records": "answers SerializationException",
        "test_a_sequence_number_for_ordering_is_a_number": "answers 500",
        "test_a_dry_run_of_put_record_stores_nothing": "accepts it",
        "test_a_dry_run_of_put_records_stores_nothing": "accepts it",
        "test_a_larger_maximum_record_is_honoured": "accepts it",
        "test_get_shard_iterator_has_five_types": "answers SerializationException",
        "test_get_shard_iterator_needs_a_type": "answers SerializationException",
        "test_a_starting_sequence_number_is_a_number": "answers InvalidArgumentException",
        "test_a_starting_sequence_number_is_one_of_the_service": "accepts it",
        "test_a_shard_id_has_a_pattern": "answers InvalidArgumentException",
        "test_a_dry_run_of_get_shard_iterator_gives_none": "accepts it",
        "test_a_made_up_iterator_is_refused": "answers 500",
        "test_an_iterator_has_a_range_of_lengths": "answers 500",
        "test_get_records_needs_an_iterator": "answers SerializationException",
        "test_a_dry_run_of_get_records_gives_none": "accepts it",
        "test_a_split_closes_the_parent": "ends every closed shard at 9223372036854775807",
        "test_a_split_needs_a_hash_key[-1]": "answers InvalidArgumentException",
        "test_a_split_needs_a_hash_key[01]": "answers InvalidArgumentException",
        "test_a_split_needs_a_hash_key[half]": "answers 500",
        "test_a_split_at_the_start_is_refused": "accepts it",
        "test_a_split_of_an_on_demand_stream_is_refused": "accepts it",
        "test_a_merge_in_an_on_demand_stream_is_refused": "accepts it",
        "test_a_stream_is_scaled_by_a_half": "makes shards of unequal size",
        "test_a_stream_is_scaled_ten_times_a_day": "accepts it",
        "test_a_target_shard_count_is_positive": "accepts it",
        "test_scaling_has_one_type": "answers SerializationException",
        "test_scaling_of_an_on_demand_stream_is_refused": "accepts it",
        "test_scaling_takes_an_arn": "scales, but answers no StreamARN",
        "test_retention_is_required": "answers SerializationException",
        "test_encryption_has_types": "answers SerializationException",
        "test_encryption_needs_a_key": "answers InvalidArgumentException",
        "test_shard_level_metrics_have_names[none]": "accepts it",
        "test_shard_level_metrics_have_names[unknown]": "answers SerializationException",
        "test_monitoring_waits_for_an_active_stream": "accepts it",
        "test_a_stream_changes_its_mode_twice_a_day": "accepts it",
        "test_a_stream_has_one_of_two_modes": "answers SerializationException",
        "test_the_largest_record_has_a_range": "answers InvalidArgumentException",
        "test_the_largest_record_waits_for_an_active_stream": "accepts it",
        "test_a_provisioned_stream_distributes_by_key": "answers AccessDeniedException",
        "test_a_distribution_strategy_is_one_of_two": "answers AccessDeniedException",
        "test_an_account_has_no_commitment": "answers nothing",
        "test_an_account_commits_to_enabled_or_disabled": "answers SerializationException",
        "test_a_name_has_a_pattern": "answers InvalidArgumentException",
        "test_a_name_is_required": "answers SerializationException",
        "test_a_shard_count_is_positive": "answers LimitExceededException",
        "test_a_provisioned_stream_needs_a_shard_count": "accepts it",
        "test_a_stream_is_not_created_for_records_of_any_size": "answers InvalidArgumentException",
        "test_a_provisioned_stream_has_no_distribution_strategy": "accepts it",
        "test_describe_stream_has_a_range_of_limits": "answers InvalidArgumentException",
        "test_a_summary_tells_the_largest_record": "has no MaxRecordSizeInKiB",
        "test_streams_are_listed_by_token": "answers no NextToken",
        "test_streams_are_listed_with_their_summaries": "has no StreamSummaries",
        "test_list_streams_has_a_range_of_limits": "answers InvalidArgumentException",
        "test_list_tags_has_a_range_of_limits[0]": "answers InvalidArgumentException",
        "test_list_tags_has_a_range_of_limits[51]": "accepts it",
        "test_a_stream_has_at_most_50_tags": "takes 10 tags a call",
        "test_tags_have_sizes[no tags]": "accepts it",
        "test_tags_have_sizes[no key]": "answers InvalidArgumentException",
        "test_tags_have_sizes[a key of 129]": "answers InvalidArgumentException",
        "test_tags_have_sizes[a value of 257]": "answers InvalidArgumentException",
        "test_tags_have_sizes[201 tags]": "answers InvalidArgumentException",
        "test_tags_wait_for_an_active_stream": "accepts it",
        "test_tags_of_a_resource_wait_for_an_active_stream": "accepts it",
        "test_tags_to_remove_are_1_to_50[0]": "accepts it",
        "test_tags_to_remove_are_1_to_50[51]": "answers InvalidArgumentException",
        "test_a_consumer_is_tagged": "ignores the tags given when it is registered",
        "test_a_resource_has_an_arn": "answers InvalidArgumentException",
        "test_a_policy_is_deleted": "accepts it",
        "test_a_policy_is_json": "accepts it",
    },
    MOTO: {
        "test_shards_are_paginated": "ListShards answers InvalidToken",
        "test_a_consumer_is_registered": "is ACTIVE at once, and its ARN has no creation time",
        "test_a_summary_counts_the_consumers": "has no ConsumerCount",
        "test_a_consumers_name_is_taken_once": "accepts it",
        "test_a_consumers_name_has_a_pattern[empty]": "accepts it",
        "test_a_consumers_name_has_a_pattern[a b]": "accepts it",
        "test_a_consumers_name_has_a_pattern[129 characters]": "accepts it",
        "test_only_five_consumers_may_be_creating": "has any number of consumers in CREATING",
        "test_a_stream_has_at_most_20_consumers": "accepts it",
        "test_a_made_up_token_of_consumers_is_refused": "accepts it",
        "test_list_stream_consumers_has_a_range_of_limits": "accepts it",
        "test_a_consumer_is_deregistered_by_name": "answers 200 and keeps the consumer",
        "test_an_unknown_consumer_is_not_found": "accepts it",
        "test_a_consumer_is_named_somehow": "answers ResourceNotFoundException",
        "test_a_subscriber_is_sent_the_records": "SubscribeToShard answers 500",
        "test_a_shard_has_one_subscription_of_a_consumer": "SubscribeToShard answers 500",
        "test_an_unknown_consumer_does_not_subscribe": "answers 500",
        "test_a_subscription_has_a_starting_position": "answers 500",
        "test_a_dry_run_of_subscribe_to_shard_does_not_subscribe": "answers 500",
        "test_list_shards_has_pages": "ListShards answers InvalidToken",
        "test_a_token_may_give_another_token": "ListShards answers InvalidToken",
        "test_a_token_and_a_name_are_not_given_together": "accepts it",
        "test_a_token_and_a_start_are_not_given_together": "answers InvalidToken",
        "test_a_made_up_token_is_refused": "answers ResourceNotFoundException",
        "test_list_shards_has_a_range_of_limits": "accepts it",
        "test_list_shards_starts_after_a_shard": "ignores ExclusiveStartShardId",
        "test_filter_at_latest": "ignores the filter",
        "test_filter_at_trim_horizon": "ignores the filter",
        "test_filter_after_shard_id": "ignores the filter",
        "test_filter_at_timestamp": "ignores the filter",
        "test_filter_from_timestamp": "ignores the filter",
        "test_filters_have_pages": "ListShards answers InvalidToken",
        "test_filter_after_shard_id_needs_a_shard_id": "accepts it",
        "test_filter_by_time_needs_a_timestamp": "accepts it",
        "test_a_filter_needs_a_type": "accepts it",
        "test_a_filter_has_one_of_six_types": "accepts it",
        "test_an_unknown_stream_is_not_found[UpdateStreamWarmThroughput]": "answers 500",
        "test_a_stream_is_named_somehow[AddTagsToStream]": "answers ResourceNotFoundException",
        "test_a_stream_is_named_somehow[DecreaseStreamRetentionPeriod]": "answers ResourceNotFoundException",
        "test_a_stream_is_named_somehow[DeleteStream]": "answers ResourceNotFoundException",
        "test_a_stream_is_named_somehow[DescribeStream]": "answers ResourceNotFoundException",
        "test_a_stream_is_named_somehow[DescribeStreamSummary]": "answers ResourceNotFoundException",
        "test_a_stream_is_named_somehow[DisableEnhancedMonitoring]": "answers ResourceNotFoundException",
        "test_a_stream_is_named_somehow[EnableEnhancedMonitoring]": "answers ResourceNotFoundException",
        "test_a_stream_is_named_somehow[GetShardIterator]": "answers ResourceNotFoundException",
        "test_a_stream_is_named_somehow[IncreaseStreamRetentionPeriod]": "answers ResourceNotFoundException",
        "test_a_stream_is_named_somehow[ListShards]": "answers ResourceNotFoundException",
        "test_a_stream_is_named_somehow[ListTagsForStream]": "answers ResourceNotFoundException",
        "test_a_stream_is_named_somehow[MergeShards]": "answers ResourceNotFoundException",
        "test_a_stream_is_named_somehow[PutRecord]": "answers ResourceNotFoundException",
        "test_a_stream_is_named_somehow[PutRecords]": "answers ResourceNotFoundException",
        "test_a_stream_is_named_somehow[RemoveTagsFromStream]": "answers ResourceNotFoundException",
        "test_a_stream_is_named_somehow[SplitShard]": "answers ResourceNotFoundException",
        "test_a_stream_is_named_somehow[StartStreamEncryption]": "answers ResourceNotFoundException",
        "test_a_stream_is_named_somehow[StopStreamEncryption]": "answers ResourceNotFoundException",
        "test_a_stream_is_named_somehow[UpdateShardCount]": "answers ResourceNotFoundException",
        "test_a_stream_is_named_somehow[UpdateStreamWarmThroughput]": "answers 500",
        "test_an_unknown_arn_is_not_found[DeregisterStreamConsumer]": "answers 500",
        "test_an_unknown_arn_is_not_found[DescribeStreamConsumer]": "answers 500",
        "test_an_unknown_arn_is_not_found[ListStreamConsumers]": "answers 500",
        "test_an_unknown_arn_is_not_found[ListTagsForResource]": "answers 500",
        "test_an_unknown_arn_is_not_found[PutResourcePolicy]": "accepts it",
        "test_an_unknown_arn_is_not_found[RegisterStreamConsumer]": "answers 500",
        "test_an_unknown_arn_is_not_found[TagResource]": "answers 500",
        "test_an_unknown_arn_is_not_found[UntagResource]": "answers 500",
        "test_an_unknown_arn_is_not_found[UpdateMaxRecordSize]": "answers 500",
        "test_an_unknown_arn_is_not_found[UpdateStreamMode]": "answers 500",
        "test_an_unknown_arn_is_not_found[UpdateStreamRecordDistributionStrategy]": "answers 500",
        "test_the_last_hash_key_is_in_the_last_shard": "PutRecord answers 500",
        "test_an_explicit_hash_key_is_a_decimal_number[-1]": "answers 500",
        "test_an_explicit_hash_key_is_a_decimal_number[01]": "accepts it",
        "test_an_explicit_hash_key_is_a_decimal_number[abc]": "answers 500",
        "test_an_explicit_hash_key_is_a_decimal_number[1.5]": "answers 500",
        "test_put_records_refuses_a_bad_explicit_hash_key": "answers 500",
        "test_put_record_refuses_a_key_of_that_length[0]": "accepts it",
        "test_put_record_refuses_a_key_of_that_length[257]": "answers InvalidArgumentException",
        "test_put_records_refuses_a_key_of_that_length[0]": "accepts it",
        "test_put_records_refuses_a_key_of_that_length[257]": "answers InvalidArgumentException",
        "test_put_record_needs_data": "answers 500",
        "test_put_record_refuses_1_mib_and_1": "accepts it",
        "test_put_record_counts_the_key_into_the_size": "accepts it",
        "test_put_record_refuses_10_mib_and_1": "accepts it",
        "test_put_records_takes_10_mib": "PutRecords answers InvalidArgumentException",
        "test_put_records_answers_in_the_order_of_the_request": "numbers each shard from 1: numbers repeat",
        "test_put_records_refuses_0": "accepts it, with an answer of 0 records",
        "test_put_records_needs_records": "answers 500",
        "test_sequence_numbers_are_unique_in_the_stream": "numbers the records of each shard from 1",
        "test_a_sequence_number_for_ordering_is_a_number": "accepts it",
        "test_a_dry_run_of_put_record_stores_nothing": "accepts it",
        "test_a_dry_run_of_put_records_stores_nothing": "accepts it",
        "test_records_go_to_the_children_after_a_split": "keeps the parent open",
        "test_a_larger_maximum_record_is_honoured": "UpdateMaxRecordSize answers 500",
        "test_get_shard_iterator_has_five_types": "answers InvalidArgumentException",
        "test_get_shard_iterator_needs_a_type": "answers InvalidArgumentException",
        "test_an_iterator_by_sequence_number_needs_one": "answers 500",
        "test_an_iterator_by_time_needs_a_timestamp": "accepts it",
        "test_a_starting_sequence_number_is_a_number": "answers 500",
        "test_a_starting_sequence_number_is_one_of_the_service": "accepts it",
        "test_a_shard_id_has_a_pattern": "answers ResourceNotFoundException",
        "test_a_dry_run_of_get_shard_iterator_gives_none": "accepts it",
        "test_get_records_has_a_range_of_limits": "accepts it",
        "test_get_records_gives_at_most_10_mib": "answers 12 MiB at once",
        "test_a_made_up_iterator_is_refused": "answers 500",
        "test_an_iterator_has_a_range_of_lengths": "answers 500",
        "test_get_records_needs_an_iterator": "answers 500",
        "test_a_dry_run_of_get_records_gives_none": "accepts it",
        "test_a_closed_shard_stays_readable": "keeps the parent open",
        "test_the_end_of_a_closed_shard_has_no_next_iterator": "keeps the parent open",
        "test_the_end_of_a_split_shard_names_its_children": "answers no ChildShards",
        "test_the_end_of_a_merged_shard_names_its_child": "answers no ChildShards",
        "test_a_split_makes_two_children": "keeps the parent open",
        "test_a_split_closes_the_parent": "ends the parent at 1, after its children start",
        "test_a_split_stream_is_updating_for_a_while": "is ACTIVE at once",
        "test_split_shard_takes_an_arn": "keeps the parent open",
        "test_a_split_needs_a_hash_key[01]": "accepts it",
        "test_a_split_waits_for_an_active_stream": "accepts it",
        "test_a_split_of_an_on_demand_stream_is_refused": "accepts it",
        "test_a_merge_makes_one_child": "keeps a parent open",
        "test_a_merged_stream_is_updating_for_a_while": "is ACTIVE at once",
        "test_a_merge_of_a_closed_shard_is_refused": "accepts it",
        "test_a_merge_waits_for_an_active_stream": "accepts it",
        "test_a_merge_in_an_on_demand_stream_is_refused": "accepts it",
        "test_a_stream_is_scaled_by_a_half": "makes shards of unequal size",
        "test_a_scaled_stream_is_updating_for_a_while": "is ACTIVE at once",
        "test_a_stream_is_at_most_doubled": "accepts it",
        "test_a_stream_is_at_most_halved": "accepts it",
        "test_a_stream_is_scaled_ten_times_a_day": "accepts it",
        "test_a_target_shard_count_is_positive": "never answers: it loops for ever",
        "test_scaling_has_one_type": "accepts it",
        "test_scaling_waits_for_an_active_stream": "accepts it",
        "test_scaling_takes_an_arn": "scales, but answers no StreamARN",
        "test_retention_is_required": "answers 500",
        "test_retention_waits_for_an_active_stream": "accepts it",
        "test_records_of_an_encrypted_stream_say_so": "answers no EncryptionType",
        "test_records_read_from_an_encrypted_stream_say_so": "answers no EncryptionType",
        "test_a_stream_is_updating_while_encryption_starts": "is ACTIVE at once",
        "test_encryption_has_types": "accepts it",
        "test_encryption_needs_a_key": "accepts it",
        "test_encryption_waits_for_an_active_stream": "accepts it",
        "test_all_shard_level_metrics_are_enabled": 'lists "ALL" as the one metric',
        "test_shard_level_metrics_have_names[none]": "accepts it",
        "test_shard_level_metrics_have_names[unknown]": "accepts it",
        "test_monitoring_waits_for_an_active_stream": "accepts it",
        "test_a_stream_changes_its_mode_twice_a_day": "accepts it",
        "test_a_stream_has_one_of_two_modes": "accepts it",
        "test_a_mode_waits_for_an_active_stream": "accepts it",
        "test_the_largest_record_has_a_range": "answers 500",
        "test_the_largest_record_waits_for_an_active_stream": "answers 500",
        "test_a_provisioned_stream_has_no_warm_throughput": "answers 500",
        "test_a_provisioned_stream_distributes_by_key": "answers 500",
        "test_a_distribution_strategy_is_one_of_two": "answers 500",
        "test_an_account_has_no_commitment": "DescribeAccountSettings answers 500",
        "test_an_account_commits_to_enabled_or_disabled": "answers 500",
        "test_a_new_stream_becomes_active": "is ACTIVE at once",
        "test_a_name_has_a_pattern": "accepts it",
        "test_a_name_is_required": "accepts it",
        "test_a_shard_count_is_positive[0]": "answers 500",
        "test_a_shard_count_is_positive[-1]": "accepts it",
        "test_a_provisioned_stream_needs_a_shard_count": "answers 500",
        "test_more_shards_than_the_account_may_have_are_refused": "accepts it",
        "test_only_five_streams_may_be_creating": "has any number of streams in CREATING",
        "test_a_stream_may_be_created_with_tags": "ignores the tags",
        "test_a_stream_may_be_created_for_large_records": "has no MaxRecordSizeInKiB",
        "test_a_stream_is_not_created_for_records_of_any_size": "accepts it",
        "test_a_provisioned_stream_has_no_distribution_strategy": "accepts it",
        "test_a_stream_is_deleting_for_a_while": "is gone at once",
        "test_a_stream_with_consumers_is_not_deleted": "accepts it",
        "test_describe_stream_has_pages": "ignores ExclusiveStartShardId",
        "test_describe_stream_has_a_range_of_limits": "accepts it",
        "test_a_summary_tells_what_a_new_stream_is": "has no ConsumerCount",
        "test_a_summary_tells_the_largest_record": "has no MaxRecordSizeInKiB",
        "test_limits_are_told": "counts 0 open shards",
        "test_limits_count_the_on_demand_streams": "counts 0 on-demand streams",
        "test_streams_are_listed_by_token": "answers no NextToken",
        "test_list_streams_has_a_range_of_limits": "accepts it",
        "test_tags_are_listed_in_pages": "repeats the tag of ExclusiveStartTagKey",
        "test_list_tags_has_a_range_of_limits": "accepts it",
        "test_a_stream_has_at_most_50_tags": "accepts it",
        "test_tags_have_sizes": "accepts it",
        "test_tags_have_an_alphabet": "accepts it",
        "test_tags_wait_for_an_active_stream": "accepts it",
        "test_tags_of_a_resource_wait_for_an_active_stream": "answers 500",
        "test_tags_to_remove_are_1_to_50": "accepts it",
        "test_a_resource_is_tagged": "TagResource answers 500",
        "test_a_resource_is_untagged": "TagResource answers 500",
        "test_a_stream_and_its_arn_have_the_same_tags": "ListTagsForResource answers 500",
        "test_a_resource_has_at_most_50_tags": "answers 500",
        "test_a_consumer_is_tagged": "TagResource answers 500",
        "test_a_resource_has_an_arn": "answers 500",
        "test_a_policy_is_json": "accepts it",
    },
}

#: What in a server's answers breaks the service's model, told once here and not by every case that meets it.
BREAKS_THE_MODEL: Final[Mapping[str, tuple[str, ...]]] = {
    MOTO: ("ConsumerARN: 'arn:",),  # without the creation time that ends a consumer's ARN
}

#: Cases after which a server is started anew, because what it took should never have been taken.
SPOILED_BY: Final = {
    (MOTO, "test_a_name_is_required"): "a stream without a name, which no request can delete",
    (MOTO, "test_a_name_has_a_pattern[empty]"): "a stream whose name no client accepts",
    (MOTO, "test_a_name_has_a_pattern[a b]"): "a stream whose name no client accepts",
    (MOTO, "test_a_name_has_a_pattern[a/b]"): "a stream whose name no client accepts",
    (MOTO, "test_a_name_has_a_pattern[129 characters]"): "a stream whose name no client accepts",
}

#: Cases that a server passes on one run and fails on the next, with the reason: either is well.
UNDECIDED: Final = {
    (KINESIS_MOCK, "test_filter_from_timestamp"): "lists the parent that was closed before, or does not",
    (KINESIS_MOCK, "test_get_records_gives_at_most_10_mib"): "takes 12 s, which few clients wait",
    (KINESIS_MOCK, "test_put_record_refuses_10_mib_and_1"): "takes 12 s, which few clients wait",
    (KINESIS_MOCK, "test_put_records_takes_10_mib"): "takes 8 s, which few clients wait",
    (KINESIS_MOCK, "test_put_records_refuses_more_than_10_mib"): "takes 8 s, which few clients wait",
    (KINESIS_MOCK, "test_only_five_consumers_may_be_creating"): "counts them or not, by how fast they come",
    (KINESIS_MOCK, "test_a_consumer_is_deregistered"): "stays DELETING or not, by what ran before",
    (KINESIS_MOCK, "test_a_consumer_is_deregistered_by_name"): "stays DELETING or not, by what ran before",
}

PAGE: Final = Path(__file__).with_name("README.md")


def reason_of(server: str, case: str) -> str | None:
    """Why this case is expected to fail on this server; None where it has to pass."""
    name = case.partition("[")[0]
    known = KNOWN[server]
    if what := known.get(case) or known.get(name):
        return f"{what}; documented: {cases()[name].sentence}"
    if lacking := sorted(LACKS.get(server, frozenset()) & operations_of(case)):
        return f"lacks {', '.join(lacking)}"
    return None


def render() -> str:
    """The page of differences, in Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield from (
        "# One contract, four servers",
        "",
        "Written by `python -m tests.contract.differences` from `differences.py`; a test holds the page to the table,",
        "and every line of it is a strict xfail, so a difference that is gone fails the suite.",
        "",
        f"{len(cases())} cases, written from the reference and the model of Amazon Kinesis Data Streams, run through",
        "boto3 (and some through aiobotocore) against truckstream.local, kinesalite, kinesis-mock and moto. The middle",
        "column is the sentence of the documentation that a case stands for, or the shape of botocore's model that it",
        "names: in each line the documentation is right and the server is not.",
        "",
        "`answers InvalidArgumentException` is the mildest of them: the model gives the constraint and not the name of",
        "its error, and `ValidationException` is what the service is known to answer.",
        "",
        "| server | cases it answers otherwise | operations it lacks |",
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
                f"Breaks the model in every answer with {', '.join(each.split(':')[0] for each in broken)}.",
                "",
            )
        if not KNOWN[server]:
            yield "No difference."
            continue
        yield from ("| case | documented | what it does |", "|---|---|---|")
        order = list(cases())
        for case, what in sorted(KNOWN[server].items(), key=lambda item: order.index(item[0].partition("[")[0])):
            name, _, parameters = case.partition("[")
            title_of_case = name.removeprefix("test_").replace("_", " ") + (
                f" ({parameters[:-1]})" if parameters else ""
            )
            yield f"| {title_of_case} | {_cell(cases()[name].sentence)} | {_cell(what)} |"
    yield from ("", "## Passed or failed, as it happens", "", "| server | case | reason |", "|---|---|---|")
    for (server, case), reason in UNDECIDED.items():
        yield f"| {TITLES[server]} | {_words(case)} | {reason} |"


def _words(name: str) -> str:
    return name.removeprefix("test_").replace("_", " ")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(render())
