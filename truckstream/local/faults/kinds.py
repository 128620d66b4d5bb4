"""The kinds of fault, as one table: the code, the documents and `--help` all read it.

The sentence `client` is the point of a fault: what may a client believe after it? Where the records are stored and the
client is not told, a retry makes copies; where they are not stored, a client that does not retry loses them.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

__all__ = ["DATA_PLANE", "KINDS", "Kind", "Target"]

#: What one decision is about: a record of a write (or a read call), a whole request, or the stream itself.
Target = Literal["record", "request", "stream"]

#: The operations that carry records; all others are the control plane.
DATA_PLANE: Final = frozenset({"PutRecord", "PutRecords", "GetRecords", "GetShardIterator", "SubscribeToShard"})


class Kind(NamedTuple):
    """A kind of fault. `options` are the fields of `Fault` that mean something for this kind alone."""

    target: Target
    does: str
    client: str
    options: frozenset[str] = frozenset()


_SHARDS: Final = frozenset({"shards"})
_STATUS: Final = frozenset({"status"})

#: By name, in the order in which a request meets them.
KINDS: Final[dict[str, Kind]] = {
    # --- One record of a write, whatever becomes of the others -----------------------------------
    "throttle": Kind(
        "record",
        "ProvisionedThroughputExceededException for the record (GetRecords: for the call), whatever the quota says.",
        "Not stored; a retry stores it once.",
        _SHARDS,
    ),
    "internal-failure": Kind(
        "record",
        "InternalFailure for the record, which is not stored.",
        "Cannot know: looks like internal-failure-after.",
        _SHARDS,
    ),
    "internal-failure-after": Kind(
        "record",
        "InternalFailure for the record, which is stored all the same.",
        "Cannot know; a retry makes a copy.",
        _SHARDS,
    ),
    # --- A whole request -------------------------------------------------------------------------
    "reset-before": Kind(
        "request",
        "The connection is reset when the headers are there, before the body is read.",
        "Nothing is stored, but it cannot know.",
    ),
    "reset-request": Kind(
        "request",
        "The connection is reset when half of the request's body has come.",
        "Nothing is stored, but it cannot know unless it was still sending.",
    ),
    "stall": Kind(
        "request",
        "The request is read, not carried out and never answered: the client must give up.",
        "Nothing is stored, but it cannot know.",
    ),
    "access-denied": Kind(
        "request",
        "AccessDeniedException, as without a permission.",
        "Nothing is stored; a retry does not help.",
    ),
    "expired-token": Kind(
        "request",
        "ExpiredTokenException, as with temporary credentials past their time.",
        "Nothing is stored; new credentials help.",
    ),
    "limit-exceeded": Kind(
        "request",
        "LimitExceededException: the control plane's rate is exceeded. PutRecord(s), GetRecords and "
        "GetShardIterator know no such error.",
        "Nothing is done; a later retry helps.",
    ),
    "error-before": Kind(
        "request",
        "HTTP 500 InternalFailure, 503 ServiceUnavailable, or a proxy's page for 502 and 504; nothing is carried out.",
        "Nothing is stored, but it cannot know: looks like error-after.",
        _STATUS,
    ),
    "error-after": Kind(
        "request",
        "The same answers, after the request was carried out.",
        "Stored, but it cannot know; a retry makes copies.",
        _STATUS,
    ),
    "reset-after": Kind(
        "request",
        "The request is carried out, and the connection reset without an answer.",
        "Stored, but it cannot know; a retry makes copies.",
    ),
    "reset-answer": Kind(
        "request",
        "The request is carried out, and the connection closed in the middle of the answer.",
        "Stored, but it cannot know which records; a retry makes copies.",
    ),
    "stall-after": Kind(
        "request",
        "The request is carried out and never answered: the client must give up.",
        "Stored, but it cannot know; a retry makes copies.",
    ),
    "latency": Kind(
        "request",
        "The answer comes `seconds` later, and up to `jitter` more; the request was carried out when it came.",
        "Stored, and told late; a client that gives up cannot know.",
        frozenset({"seconds", "jitter"}),
    ),
    "skew": Kind(
        "request",
        "The service's clock is off by `seconds`, in the Date header and where it looks at the signature's age: "
        "over five minutes apart it refuses with InvalidSignatureException.",
        "Nothing is stored when refused; a signature by the Date header's time helps.",
        frozenset({"seconds"}),
    ),
    # --- The stream, just before a request is carried out ----------------------------------------
    "split": Kind(
        "stream",
        "A shard is split in its middle.",
        "Its shard map is out of date; records go to shards that it does not know.",
        _SHARDS,
    ),
    "merge": Kind(
        "stream",
        "Two neighbours among the shards become one.",
        "Its shard map is out of date, and its two quotas are one.",
        _SHARDS,
    ),
    "delete": Kind(
        "stream",
        "The stream is deleted.",
        "ResourceNotFoundException from now on.",
    ),
    "recreate": Kind(
        "stream",
        "The stream is deleted, and made again with as many shards.",
        "Its shard map and iterators mean nothing; what it wrote is gone.",
    ),
}
