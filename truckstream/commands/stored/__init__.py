"""The commands that work on stored objects: verify, query, replay and compact."""
