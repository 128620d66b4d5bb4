"""Divide the sources of an hour into plans, one for each compacted file."""
