"""AWS's partitions: which one a region belongs to, and the domains of its endpoints. botocore has the data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

__all__ = ["Partition", "is_aws_endpoint", "partition_of"]


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition, such as aws or aws-us-gov: a part of AWS with accounts, names and domains of its own."""

    #: As in the ARNs of its resources.
    name: str
    regions: re.Pattern[str]
    dns_suffix: str
    dual_stack_dns_suffix: str


@cache
def _partitions() -> tuple[Partition, ...]:
    from botocore.loaders import create_loader  # noqa: PLC0415 - takes time, which only some commands need

    rows = create_loader().load_data("partitions")["partitions"]
    return tuple(
        Partition(
            row["id"],
            re.compile(row["regionRegex"]),
            row["outputs"]["dnsSuffix"],
            row["outputs"]["dualStackDnsSuffix"],
        )
        for row in rows
    )


def partition_of(region: str) -> Partition:
    """Return the partition of a region; the commercial one for a region that botocore does not know yet."""
    partitions = _partitions()
    commercial = next(each for each in partitions if each.name == "aws")
    return next((each for each in partitions if each.regions.fullmatch(region)), commercial)


def is_aws_endpoint(url: str) -> bool:
    """Return whether a URL belongs to AWS, in any of its partitions."""
    host = urlsplit(url).hostname or ""
    domains = [domain for each in _partitions() for domain in (each.dns_suffix, each.dual_stack_dns_suffix)]
    return any(host.endswith(f".{domain}") for domain in domains)
