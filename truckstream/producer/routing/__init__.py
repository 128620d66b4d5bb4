"""The shard of each record, and what happens to records and aggregates when the shards change."""
