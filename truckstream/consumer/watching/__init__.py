"""Statistics of a consumer, and hooks for an observer."""
