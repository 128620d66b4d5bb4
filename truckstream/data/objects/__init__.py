"""Find and read the objects of a store."""
