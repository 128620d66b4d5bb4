"""What an observer receives: the hooks and their events, and the way from the core to the hooks."""
