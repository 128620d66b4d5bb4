"""The arguments of callers: a producer's keywords, and the data and partition key of a record."""
