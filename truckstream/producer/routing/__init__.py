"""The shard of each record, and the way of records and aggregates to other shards after a reshard."""
