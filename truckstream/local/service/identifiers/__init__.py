"""Sequence numbers, shard IDs, hash keys and tokens, as the service forms them."""
