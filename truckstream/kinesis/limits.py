"""The service's limits, from the API reference of PutRecords and the developer guide's "Quotas and limits".

Read 2026-11-23 from the service model that botocore 1.43 ships and from the guide's page on large records.
"""

from __future__ import annotations

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

#: "Each PutRecords request can support up to 500 records."
MAX_RECORDS_PER_REQUEST: Final = 500

#: "... up to a limit of 10 MiB for the entire request, including partition keys."
MAX_BYTES_PER_REQUEST: Final = 10 * MIB

#: A stream's largest record unless its MaxRecordSizeInKiB is set: data and partition key together.
DEFAULT_MAX_RECORD_BYTES: Final = 1 * MIB

#: "Each shard can support writes up to 1,000 records per second, up to a maximum data write total of 1 MB per
#: second." The developer guide and the KPL read this MB as MiB; so does this library, and a throttle corrects it.
SHARD_RECORDS_PER_SECOND: Final = 1_000
SHARD_BYTES_PER_SECOND: Final = 1 * MIB

#: Unicode characters, not bytes.
MAX_PARTITION_KEY_CHARACTERS: Final = 256

#: Partition keys are mapped to 128-bit integers with MD5; an explicit hash key is one of them in decimal.
MAX_HASH_KEY: Final = 2**128 - 1
