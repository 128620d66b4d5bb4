"""User records for hypothesis, and aggregates of them."""

from __future__ import annotations

from hashlib import md5
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from truckstream.kpl import MAGIC, Aggregate, UserRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
hash_keys = st.none() | st.integers(0, 2**128 - 1).map(str)
records = st.lists(st.builds(UserRecord, keys, hash_keys, st.binary(max_size=200)), min_size=1, max_size=30)


def aggregate_of(given_records: Sequence[UserRecord]) -> Aggregate:
    """Collect the records in one aggregate."""
    aggregate = Aggregate()
    for record in given_records:
        assert aggregate.add(record.data, record.partition_key, record.explicit_hash_key)
    return aggregate


def sealed(message: bytes) -> bytes:
    """Return a message with the magic number before and its MD5 after it."""
    return MAGIC + message + md5(message).digest()
