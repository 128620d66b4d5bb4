"""Where a view's records come from."""
