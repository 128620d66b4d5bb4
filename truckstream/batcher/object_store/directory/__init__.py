"""A directory as a store: objects that are there as a whole or not at all, and their metadata."""
