"""The state of a shard's windows: its bytes, its names, where it is stored, and what a reshard does with it."""
