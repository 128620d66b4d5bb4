"""The facts in the key of a stored object.

`truckstream/batcher/storing/object_key.py` makes the keys:

    sensor_data/batch_2025-01-15T14-30-25_a5b2c3d4.json
    sensor_data/year=2025/month=01/day=15/hour=14/batch_2025-01-15T14-30-25_a5b2c3d4.json
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final, NamedTuple

__all__ = ["ObjectName"]

_KEY: Final = re.compile(
    r"(?:.*?/)??(?:year=(\d{4})/month=(\d\d)/day=(\d\d)/hour=(\d\d)/)?"
    r"batch_(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d)_[a-z2-7]+(\.json|\.json\.gz|\.json\.zst|\.parquet)"
)


class ObjectName(NamedTuple):
    """The facts in a key."""

    #: When Kinesis stored the object's first record, in UTC, to the second.
    arrival: datetime
    #: The hour of the hive folders; None in the flat layout. With the batcher's `event_time` it is that of a record.
    hour: datetime | None
    #: ".json", ".json.gz", ".json.zst" or ".parquet".
    suffix: str

    @classmethod
    def parse(cls, key: str) -> ObjectName | None:
        """Return what a key says; None if the batcher makes no such keys."""
        found = _KEY.fullmatch(key)
        if found is None:
            return None
        *hour, arrival, suffix = found.groups()
        try:
            return cls(
                datetime.strptime(arrival, "%Y-%m-%dT%H-%M-%S").replace(tzinfo=UTC),
                datetime(*map(int, hour), tzinfo=UTC) if hour[0] else None,  # type: ignore[misc,arg-type]
                suffix,
            )
        except ValueError:  # a 13th month
            return None
