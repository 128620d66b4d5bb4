"""Read the objects of a store, check each by itself, and put them in the order of their records."""
