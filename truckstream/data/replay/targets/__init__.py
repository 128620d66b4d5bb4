"""Where records are replayed to: the store, or the stream."""
