"""A worker's part in sharing the shards: takes leases, renews them, and keeps them in step with the shards."""
