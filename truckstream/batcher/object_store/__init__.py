"""Requests to the object store: open it, create and read objects, retry what failed."""
