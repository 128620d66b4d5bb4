"""The wire format of envelopes: many user records, compressed, in one Kinesis record. README.md describes each field.

    header   magic, version, codec, dictionary id, counts of records, partition keys and explicit hash keys, raw size
    4 bytes  CRC-32 of all other bytes
    frame    the body, compressed

    body     the data of all records, the texts of the partition keys and those of the explicit hash keys, each text
             once; then columns of 32-bit numbers, which show where each text ends and which keys a record has

Numbers are little-endian. They have a fixed width, because a reader then takes a whole column apart at once;
varints need a loop. Compressed, the keys and columns of different trucks take 2.4 bytes a record either way.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

#: No other format begins with these bytes: 0xC1 occurs neither in UTF-8 nor in MessagePack, 0xFC in no CBOR, and no
#: number of protobuf has as many bytes above 0x7F. Eight bytes, so that random or encrypted data never has them.
MAGIC: Final = b"\xc1\xfc\xd4\xd2\xd5\xc3\xcb\xd3"

VERSION: Final = 1
ZSTD: Final = 1
NO_DICTIONARY: Final = 0

#: Magic, version, codec, dictionary id, records, partition keys, explicit hash keys, raw size.
HEADER: Final = Struct("<8sBBIIIII")
CHECKSUM: Final = Struct("<I")
#: Bytes before the frame.
OVERHEAD: Final = HEADER.size + CHECKSUM.size

#: The most bytes of a body. A reader takes no memory for more, whatever a header states. A Kinesis record of 1 MiB
#: holds 9.5 MB of truck records.
MAX_RAW_SIZE: Final = 16 * 1024 * 1024
#: The most bytes of one record's data, as outside of an envelope. Readers account for each record by itself, and a
#: rejected one of control characters takes six times its bytes as a line of JSON.
MAX_DATA_SIZE: Final = 1024 * 1024
#: The most records. One shard takes about 19,000 truck records a second.
MAX_RECORDS: Final = 65_536

#: The most bytes that a frame's decoder keeps for matches, as a power of two: those of the largest body.
WINDOW_LOG: Final = 24

#: Bytes of a number in a column.
NUMBER_SIZE: Final = 4


def columns_size(records: int, keys: int, hash_keys: int) -> int:
    """Return the bytes of the columns at the end of a body."""
    numbers = 2 * records + keys
    if hash_keys:
        numbers += records + hash_keys
    return NUMBER_SIZE * numbers
