"""Records between `put` and their requests: the outbox of each shard, its queues, bundles and byte budget."""
