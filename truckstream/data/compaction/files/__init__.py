"""Make one compacted file of the sources of a plan."""
