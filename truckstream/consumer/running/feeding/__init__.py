"""Fills the feed of a shard: by polling or over a subscription, within the budget of all shards."""
