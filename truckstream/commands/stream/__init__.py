"""The commands that work on a stream itself: put, tail and streams."""
