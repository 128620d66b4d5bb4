"""Parsing of requests and the checks of their constraints."""
