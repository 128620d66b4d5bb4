"""Leases: which worker reads which shard, and how far it has come."""
