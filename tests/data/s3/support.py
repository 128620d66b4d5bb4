"""The faults of a bucket in trouble."""

from truckstream.local.s3 import S3Fault

KINDS = ("slow-down", "internal-error", "reset-before", "reset-after")

#: A fifth of all requests fails, listings and tags included.
FAULTS = tuple(S3Fault(kind, rate=0.055, method=None) for kind in KINDS)
