"""Commit compacted files to an Apache Iceberg table."""
