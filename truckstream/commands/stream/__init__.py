"""The commands that work on a stream itself: put, tail, alerts and streams."""
