"""The hooks and events for observers, and the way of an event from the core to a hook."""
