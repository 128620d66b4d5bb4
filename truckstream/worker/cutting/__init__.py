"""Which records of a shard share an object: the decisions, without IO."""
