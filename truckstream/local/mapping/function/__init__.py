"""The function of an event source mapping: its event, its context, its invocation, and the outcome of a batch."""
