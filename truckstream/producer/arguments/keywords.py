"""A producer's keywords for type checkers, where a signature takes all of them. `Producer` has the list for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from truckstream.kinesis.session.user_session import UserSession
    from truckstream.producer.watching.observer import ProducerObserver

__all__ = ["ProducerKeywords"]


class ProducerKeywords(TypedDict, total=False):
    """All keywords of `Producer` but `serializer` and `key`, which decide the type of its objects."""

    region_name: str | None
    endpoint_url: str | None
    session: UserSession | None
    buffer_bytes: int
    linger: float
    delivery_timeout: float
    request_timeout: float
    open_timeout: float | None
    max_in_flight: int
    max_batch_records: int
    max_batch_bytes: int
    pacing: bool
    ordered: bool
    aggregate: bool
    aggregate_bytes: int
    compression: str | None
    observer: ProducerObserver | None
