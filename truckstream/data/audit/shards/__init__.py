"""Check the groups of a shard: the objects of each, the chain between them, and those that overlap."""
