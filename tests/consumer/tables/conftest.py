"""The lease tables that the conformance tests run on; DynamoDB's is ministack's, whose conditional writes hold."""

from __future__ import annotations

import functools
import itertools
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.cloud.conftest import ministack_program, ministack_url  # noqa: F401 - fixtures
from tests.cloud.ministack import session
from truckstream.consumer.tables.dynamodb_table import DynamoDbTable
from truckstream.consumer.tables.memory_table import MemoryTable
from truckstream.consumer.tables.sqlite_table import SqliteTable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from aiobotocore.session import AioSession

    from truckstream.consumer.leases.lease_table import LeaseTable

KINDS = ("memory", "sqlite", pytest.param("dynamodb", marks=pytest.mark.external))
numbers = itertools.count()


@functools.cache
def shared_session() -> AioSession:
    """A session for all clients of a process, because parsing its data files takes long."""
    return session()


@pytest_asyncio.fixture(params=KINDS)
async def another(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Callable[[], Awaitable[LeaseTable]]]:
    """Return a callable that opens one more connection to the same table, as another worker does."""
    memory, name = MemoryTable(), f"leases-{next(numbers)}"

    def make() -> LeaseTable:
        if request.param == "memory":
            return memory
        if request.param == "sqlite":
            return SqliteTable(tmp_path / "leases.sqlite")
        url = request.getfixturevalue("ministack_url")
        return DynamoDbTable(name, region_name="us-east-1", endpoint_url=url, session=shared_session())

    async with AsyncExitStack() as resources:

        async def another() -> LeaseTable:
            table = make()
            await table.open()
            resources.push_async_callback(table.close)
            return table

        yield another


@pytest_asyncio.fixture
async def table(another: Callable[[], Awaitable[LeaseTable]]) -> LeaseTable:
    return await another()
