"""Which record belongs to which windows, and when a window is final."""
