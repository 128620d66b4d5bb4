"""Everything that the service remembers: the account, its streams, their shards and consumers."""
