"""Events as messages of SNS.

A FIFO topic keeps one of two messages with the same deduplication ID, which is the event's key, for five minutes
(Amazon SNS developer guide, 2026-11). A standard topic delivers an event again if its response was lost.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from truckstream.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from truckstream.alerts.alert_event import AlertEvent

__all__ = ["MOST_MESSAGES", "check_topic", "message_entries"]

#: The messages of one PublishBatch.
MOST_MESSAGES: Final = 10

_TOPIC_ARN: Final = re.compile(r"arn:[a-z0-9-]+:sns:[a-z0-9-]+:\d{12}:[a-zA-Z0-9_-]{1,256}(\.fifo)?", re.ASCII)


def check_topic(option: str, topic_arn: str) -> None:
    """Check that a text is the ARN of a topic.

    Raises:
        InvalidArgumentError: it is not.
    """
    if not _TOPIC_ARN.fullmatch(topic_arn):
        rule = "must be the ARN of a topic, such as arn:aws:sns:us-east-1:123456789012:alerts"
        raise InvalidArgumentError(option, topic_arn, rule)


def message_entries(topic_arn: str, events: Sequence[AlertEvent]) -> list[dict[str, Any]]:
    """Return the entries of a PublishBatch, whose IDs are the indexes of the events.

    The message is the event as JSON. Rule, severity and state are also attributes, for the filters of subscriptions.
    """
    return [_entry(str(index), event, is_fifo=topic_arn.endswith(".fifo")) for index, event in enumerate(events)]


def _entry(entry_id: str, event: AlertEvent, *, is_fifo: bool) -> dict[str, Any]:
    attributes = {"rule": event.rule, "severity": event.severity, "state": event.state}
    entry = {
        "Id": entry_id,
        "Message": event.to_json().decode(),
        # At most 100 characters of ASCII: a rule's name has up to 64, and no others.
        "Subject": f"{event.severity}: {event.rule} has {event.state}",
        "MessageAttributes": {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
    }
    return entry | {"MessageGroupId": event.id, "MessageDeduplicationId": event.key} if is_fifo else entry
