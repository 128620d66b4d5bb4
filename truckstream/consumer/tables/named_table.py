"""The lease table that the text of an option or of a variable names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from truckstream.consumer.tables.dynamodb_table import DynamoDbTable
from truckstream.consumer.tables.sqlite_table import SqliteTable
from truckstream.errors import InvalidArgumentError

if TYPE_CHECKING:
    from truckstream.consumer.leases.lease_table import LeaseTable
    from truckstream.kinesis.session.user_session import UserSession

__all__ = ["named_table"]


def named_table(
    text: str, *, region_name: str | None, session: UserSession | None = None, create: bool = True
) -> LeaseTable:
    """Return the table that `dynamodb:NAME` or `sqlite:FILE` names. Without `create` it must exist.

    Raises:
        InvalidArgumentError: `text` is neither.
    """
    kind, _, place = text.partition(":")
    if kind == "sqlite" and place:
        return SqliteTable(place, create=create)
    if kind == "dynamodb" and place:
        return DynamoDbTable(place, region_name=region_name, session=session, create=create)
    raise InvalidArgumentError("lease_table", text, "must be dynamodb:NAME or sqlite:FILE")
