"""Check the objects of a store by themselves: each object, the two of a group, and the groups of a shard."""
