"""Deployments that use a stream or a bucket that exists already."""
