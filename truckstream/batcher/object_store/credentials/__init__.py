"""Credentials for S3 that obstore does not find by itself."""
