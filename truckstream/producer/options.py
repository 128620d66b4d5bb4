"""The options of a producer's core, and the rules for their values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from truckstream.checks import check_number
from truckstream.errors import InvalidArgumentError
from truckstream.kinesis.limits import MAX_BYTES_PER_REQUEST, MAX_RECORDS_PER_REQUEST

__all__ = ["AGGREGATE_BYTES", "ProducerOptions"]

#: The KPL's AggregationMaxSize. About 100 records of 500 bytes share one Kinesis record, which leaves a hundredth of
#: its cost to each. Larger ones would only make retries dearer and pacing coarser.
AGGREGATE_BYTES: Final = 51_200


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


#: Options that are whole numbers from 1, with their maximum.
_SIZES: Final = {
    "buffer_bytes": math.inf,
    "max_in_flight": math.inf,
    "max_batch_records": MAX_RECORDS_PER_REQUEST,
    "max_batch_bytes": MAX_BYTES_PER_REQUEST,
    "aggregate_bytes": MAX_BYTES_PER_REQUEST,
}
