"""The options of a producer's core, and the rules for their values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from truckstream.checks import check_number
from truckstream.errors import InvalidArgumentError
from truckstream.kinesis.limits import MAX_BYTES_PER_REQUEST, MAX_RECORDS_PER_REQUEST

__all__ = ["AGGREGATE_BYTES", "COMPRESSIONS", "ProducerOptions"]

#: The KPL's AggregationMaxSize. About 100 records of 500 bytes share one Kinesis record, which leaves a hundredth of
#: its cost to each. Larger ones would only make retries dearer and pacing coarser.
#:
#: Compressed, 900 truck records have these bytes, 55.5 each. In envelopes of 250 kB they take 55.3, in those of 25 kB
#: 55.7 (zstd level 1, 5,000 trucks, 2026-11). And 51,200 bytes are two whole payload units of 25 KiB, by which AWS
#: charges for puts.
AGGREGATE_BYTES: Final = 51_200

#: The values of `compression`, beside None.
COMPRESSIONS: Final = ("zstd",)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProducerOptions:
    """The options of a producer's core. Times in seconds, sizes in bytes.

    Raises:
        InvalidArgumentError: an option is out of range or of another type.
    """

    buffer_bytes: int
    linger: float
    delivery_timeout: float
    #: The most requests in flight at a time. Fewer are sent while the service is in trouble.
    max_in_flight: int
    pacing: bool = True
    max_batch_records: int = MAX_RECORDS_PER_REQUEST
    max_batch_bytes: int = MAX_BYTES_PER_REQUEST
    #: Records of one key are stored in the order of put.
    ordered: bool = False
    #: Records of one shard share Kinesis records of up to `aggregate_bytes`.
    aggregate: bool = False
    aggregate_bytes: int = AGGREGATE_BYTES
    #: Kinesis records of several records are compressed envelopes, or aggregates of the KPL if this is None.
    compression: str | None = None

    def __post_init__(self) -> None:
        check_number("linger", self.linger, 0)
        check_number("delivery_timeout", self.delivery_timeout, 0.001)
        if self.linger >= self.delivery_timeout:
            rule = f"must be less than delivery_timeout ({self.delivery_timeout:g}), or no record is sent in time"
            raise InvalidArgumentError("linger", self.linger, rule)
        for option, most in _SIZES.items():
            check_number(option, getattr(self, option), 1, most, whole=True)
        for option in ("pacing", "ordered", "aggregate"):
            if not isinstance(value := getattr(self, option), bool):
                raise InvalidArgumentError(option, value, "must be True or False")
        self._check_compression()

    def _check_compression(self) -> None:
        if self.compression is None:
            return
        if not isinstance(self.compression, str) or self.compression not in COMPRESSIONS:
            known = ", ".join(map(repr, COMPRESSIONS))
            raise InvalidArgumentError("compression", self.compression, f"must be None or {known}")
        if not self.aggregate:
            rule = "needs aggregate=True: a single record compresses badly, and many together to a tenth"
            raise InvalidArgumentError("compression", self.compression, rule)


#: Options that are whole numbers from 1, with their maximum.
_SIZES: Final = {
    "buffer_bytes": math.inf,
    "max_in_flight": math.inf,
    "max_batch_records": MAX_RECORDS_PER_REQUEST,
    "max_batch_bytes": MAX_BYTES_PER_REQUEST,
    "aggregate_bytes": MAX_BYTES_PER_REQUEST,
}
