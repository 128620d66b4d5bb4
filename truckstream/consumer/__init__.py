"""Reads a stream from many workers: each record to its end, in order, and with checkpoints that follow the work."""
