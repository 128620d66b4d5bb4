"""The lease table of a consumer that was given none."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from truckstream.consumer.tables.dynamodb_table import DynamoDbTable
from truckstream.consumer.tables.memory_table import MemoryTable
from truckstream.consumer.tables.sqlite_table import SqliteTable
from truckstream.errors import InvalidArgumentError
from truckstream.kinesis.session.local_endpoint import is_on_this_machine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truckstream.consumer.leases.lease_table import LeaseTable
    from truckstream.kinesis.session.user_session import UserSession

__all__ = ["default_table", "state_folder"]

#: The names that DynamoDB allows for a table.
_TABLE_NAME: Final = re.compile(r"[a-zA-Z0-9_.-]{3,255}")


def default_table(
    application: str | None,
    *,
    region_name: str | None,
    endpoint_url: str | None,
    session: UserSession | None,
    create: bool = True,
) -> LeaseTable:
    """Return the table where an application keeps its leases.

    Without a name they are kept in memory: the consumer reads all shards, and begins anew each time. A stream of this
    machine, such as a local Kinesis, has no DynamoDB beside it, so that a file is used. Otherwise it is a DynamoDB
    table of the application's name, as with the KCL. Without `create` it must exist.

    Raises:
        InvalidArgumentError: a table cannot have the name of the application.
    """
    if application is None:
        return MemoryTable()
    if not _TABLE_NAME.fullmatch(application):
        rule = "must have 3 to 255 letters, digits, _ . - to be the name of its lease table"
        raise InvalidArgumentError("application", application, rule)
    if is_on_this_machine(endpoint_url or endpoint_in(os.environ)):
        folder = state_folder(os.environ)
        if create:
            folder.mkdir(parents=True, exist_ok=True)
        return SqliteTable(folder / f"{application}.sqlite", create=create)
    return DynamoDbTable(application, region_name=region_name, session=session, create=create)


def endpoint_in(environment: Mapping[str, str]) -> str | None:
    """Return the endpoint for Kinesis that the environment names, as botocore reads it."""
    return environment.get("AWS_ENDPOINT_URL_KINESIS") or environment.get("AWS_ENDPOINT_URL")


def state_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder for files that programs keep from run to run (XDG_STATE_HOME)."""
    base = environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "truckstream"
