"""How large the next page of a shard will be, and the `Limit` that makes it so.

GetRecords takes a number of records and returns up to 10,000 of them, or 10 MiB (API reference, read 2026-11-29). Here
the number follows from two sizes: the data, which the read quota counts (see `read_pacer`), and the
response, which takes memory: with base64 and the fields of each record a third more and some 200 bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from truckstream.consumer.reading.pacing.read_pacer import PAGE_BYTES

if TYPE_CHECKING:
    from truckstream.kinesis.reading.shard_record import RecordsPage

__all__ = ["PageEstimate"]

MAX_RECORDS: Final = 10_000

#: A response of `PAGE_BYTES` with records of 200 bytes.
MOST_WANTED: Final = 1024 * 1024
#: Enough for 250 ms of a shard that is written to at its quota, so that a burst after a pause is one page.
LEAST_WANTED: Final = 384 * 1024
#: The size of records before the first page.
FIRST_RECORD_BYTES: Final = 1024

#: Of pages with so many records, one in `PAGES_PER_SUM` is summed up.
LARGE_PAGE: Final = 64
PAGES_PER_SUM: Final = 16


class PageEstimate:
    """The recent pages of one shard."""

    __slots__ = ("_data", "_large_pages", "_overhead", "_recent", "_response")

    def __init__(self) -> None:
        self._data = float(FIRST_RECORD_BYTES)
        self._response = float(FIRST_RECORD_BYTES)
        self._recent = MOST_WANTED
        #: Large pages so far, and the bytes of a record in the response besides its base64.
        self._large_pages = 0
        self._overhead = 0.0

    def wanted(self) -> int:
        """Return how many bytes to reserve for the next page."""
        return max(min(max(2 * self._recent, LEAST_WANTED), MOST_WANTED), round(self._response))

    def limit(self, reserved: int) -> int:
        """Return the number of records to ask for with a reservation of so many bytes."""
        return max(1, min(MAX_RECORDS, int(PAGE_BYTES / self._data), int(reserved / self._response)))

    def data_of(self, page: RecordsPage) -> int:
        """Return the bytes of a page's data, keys included.

        To sum them up takes 0.06 µs a record. In most large pages they follow from the size of the response: the bytes
        of a record there besides its base64 hardly vary.
        """
        count = len(page.records)
        if count >= LARGE_PAGE:
            self._large_pages += 1
            if self._large_pages % PAGES_PER_SUM != 1:
                return max(0, round((page.size - count * self._overhead) * 3 / 4))
        data = sum([len(record.data) + len(record.partition_key) for record in page.records])
        if count >= LARGE_PAGE:
            self._overhead = (page.size - data * 4 / 3) / count
        return data

    def on_page(self, records: int, data: int, response: int) -> None:
        """Take a page into account: the bytes of its data and of the response."""
        self._recent = max(response, self._recent // 2)
        if records:
            self._data = max(1.0, (self._data + data / records) / 2)
            self._response = max(1.0, (self._response + response / records) / 2)
