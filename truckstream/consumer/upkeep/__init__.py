"""The tasks that keep a worker's leases: renewal in time, and leases in step with the shards."""
