"""The wire format of the KPL's aggregated records: many user records in one Kinesis record.

The format is "aggregation-format.md" of awslabs/amazon-kinesis-producer (read 2026-11-23):

    4 bytes      F3 89 9A C2
    the message  in protobuf's wire format, proto2:
                 AggregatedRecord { repeated string partition_key_table = 1;
                                    repeated string explicit_hash_key_table = 2; repeated Record records = 3; }
                 Record { required uint64 partition_key_index = 1; optional uint64 explicit_hash_key_index = 2;
                          required bytes data = 3; repeated Tag tags = 4; }
                 Tag { required string key = 1; optional string value = 2; }
    16 bytes     MD5 of the message

An aggregate is stored in one shard, so all its user records must belong to that shard. A record without an explicit
hash key belongs to the MD5 of its partition key. An explicit hash key is kept in the table, for readers that need the
shard.
"""

from __future__ import annotations

from typing import Final

MAGIC: Final = b"\xf3\x89\x9a\xc2"
DIGEST_SIZE: Final = 16
#: Bytes of an aggregate beside its message.
OVERHEAD: Final = len(MAGIC) + DIGEST_SIZE

# A field's first byte: its number, and its type of value (0 a number, 2 bytes preceded by their length).
PARTITION_KEY: Final = b"\x0a"
HASH_KEY: Final = b"\x12"
RECORD: Final = b"\x1a"
PARTITION_KEY_INDEX: Final = b"\x08"
HASH_KEY_INDEX: Final = b"\x10"
DATA: Final = b"\x1a"

#: A number is written in groups of seven bits, the lowest first; in all bytes but the last this bit is set.
MORE: Final = 0x80
