"""From the groups of a shard to objects and checkpoints."""
