"""The options that a worker takes on its command line, and the lines of JSON that it prints."""

from __future__ import annotations

from collections import Counter

import msgspec

__all__ = ["WorkerOptions", "WorkerProgress"]


class WorkerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The share of one worker."""

    stream: str
    region: str | None
    endpoint_url: str | None
    truck_ids: list[str]
    #: Records per second of these trucks; None sends as many as the shards take.
    rate: float | None
    seconds: float | None
    invalid: float
    seed: int
    #: The number of workers that share the stream.
    workers: int
    #: How long to try to open the stream.
    open_seconds: float
    #: As in `Producer`, with aggregation.
    compression: str | None = None


class WorkerProgress(msgspec.Struct, frozen=True):
    """The counts of one worker, or of all workers together. Counts are records."""

    #: Since the trucks started.
    seconds: float = 0.0
    put: int = 0
    acked: int = 0
    failed: int = 0
    throttled: int = 0
    sent: int = 0
    maybe_duplicates: int = 0
    buffered: int = 0
    #: Acknowledged, by shard.
    shards: dict[str, int] = {}
    errors: tuple[str, ...] = ()
    #: Why the stream does not take records at present; None if it does.
    waits_for: str | None = None

    @classmethod
    def total(cls, workers: list[WorkerProgress]) -> WorkerProgress:
        """Add up the workers; an error that several of them report appears once."""
        shards: Counter[str] = Counter()
        for worker in workers:
            shards.update(worker.shards)
        counts = ("put", "acked", "failed", "throttled", "sent", "maybe_duplicates", "buffered")
        return cls(
            seconds=max(worker.seconds for worker in workers),
            **{name: sum(getattr(worker, name) for worker in workers) for name in counts},
            shards=dict(sorted(shards.items())),
            errors=tuple(dict.fromkeys(error for worker in workers for error in worker.errors)),
            waits_for=next((worker.waits_for for worker in workers if worker.waits_for), None),
        )
