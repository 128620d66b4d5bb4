"""Store an event's groups as objects, before the deadline, and recognise those that an earlier delivery stored."""
