"""Which stores must prove that they honour conditional writes, and the object that proves it.

A store that ignores `If-None-Match: *` overwrites. A PUT that arrives late, when its call has ended long ago, then
replaces an object that holds more records by now, and records are lost that were acknowledged. Old versions of servers
with S3's API ignore the header, as their API requires it only since 2024. So such a store must refuse to create an
object twice before it gets its first data. AWS's own S3, directories and memory are known to honour the condition.

- The proof costs one empty PUT for each process, which the store refuses with 412: the object exists since the first
  process. Only a bucket without it, and a store that overwrites, get a second PUT.
- The object lies below the prefix of the data, so that it needs no permission of its own, and is never read.
- Its name begins with an underscore and has no suffix: Athena, Hive and Spark skip such names, and a pattern such as
  `*.json` does not match it. It is empty, so that a reader of all files finds no record in it.
  https://docs.aws.amazon.com/athena/latest/ug/tables-location-format.html
- S3 on Outposts is not known to honour the condition, so it is not among the known endpoints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PROBE_NAME", "honours_conditions", "possible_endpoints"]

#: The name of the object that proves a store, below the prefix of the data.
PROBE_NAME: Final = "_truckstream_conditional_writes"

#: The domains of S3's endpoints in all partitions of AWS.
_DOMAINS: Final = (
    *(".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".api.aws"),
    *(".c2s.ic.gov", ".sc2s.sgov.gov", ".csp.hci.ic.gov", ".cloud.adc-e.uk"),
)


def possible_endpoints(config: Mapping[str, object], environment: Mapping[str, str]) -> list[str]:
    """Return the endpoint that obstore uses, by its order of precedence (0.12); an empty list for that of the region.

    Of the variables AWS_ENDPOINT and AWS_ENDPOINT_URL it uses the one that comes last, so both are returned.
    """
    by_precedence = (
        [config.get("endpoint_url_s3")],
        [environment.get("AWS_ENDPOINT_URL_S3")],
        [config.get("endpoint")],
        [environment.get("AWS_ENDPOINT"), environment.get("AWS_ENDPOINT_URL")],
    )
    return next(([str(each) for each in found if each] for found in by_precedence if any(found)), [])


def honours_conditions(endpoint: str) -> bool:
    """True if S3 at this endpoint is known to honour `If-None-Match: *`."""
    host = urlsplit(endpoint).hostname or ""
    return host.endswith(_DOMAINS) and "outposts" not in host
