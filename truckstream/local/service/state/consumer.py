"""A registered consumer of enhanced fan-out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from truckstream.local.service.state.lifecycle import ResourceLifecycle

__all__ = ["CONSUMER_ARN", "FanOutConsumer", "SubscriptionHold"]

#: "[...] consumer ARNs contain the creation timestamp."
CONSUMER_ARN: Final = re.compile(r"(?P<stream>.+:stream/[^/]+)/consumer/(?P<name>[^/:]+):\d+")


@dataclass(slots=True)
class SubscriptionHold:
    """The part of a subscription that a later call for the same shard reads and changes."""

    started_at: float
    is_taken_over: bool = False


class FanOutConsumer(ResourceLifecycle):
    """A consumer of one stream."""

    def __init__(self, name: str, stream_arn: str, tags: dict[str, str], now: float) -> None:
        super().__init__(now)
        self.name = name
        self.stream_arn = stream_arn
        self.arn = f"{stream_arn}/consumer/{name}:{int(now)}"
        self.created_at = now
        self.tags = tags
        self.policy: str | None = None
        #: The last subscription to each shard, by shard ID.
        self.subscriptions: dict[str, SubscriptionHold] = {}

    def describe(self, now: float) -> dict[str, Any]:
        """Return the API's `Consumer`."""
        return {
            "ConsumerName": self.name,
            "ConsumerARN": self.arn,
            "ConsumerStatus": self.status(now),
            "ConsumerCreationTimestamp": self.created_at,
        }
