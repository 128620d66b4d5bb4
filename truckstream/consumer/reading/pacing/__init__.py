"""When to make the next call for a shard, and how large its page will be."""
