"""Windows on a Consumer: one processor for each shard, the store of their states, and sinks."""
