"""Serve the page: who may see it, its files, and the server."""
