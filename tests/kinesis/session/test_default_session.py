"""Clients without a session of their own share botocore's data files, and nothing else."""

import asyncio

import pytest
from aiobotocore.session import AioSession
from botocore.loaders import JSONFileLoader

from truckstream.kinesis.session import default_session
from truckstream.kinesis.session.session_endpoint import SessionEndpoint

pytestmark = pytest.mark.usefixtures("fake_credentials")


def endpoint(session=None):
    return SessionEndpoint(
        region_name="us-east-1", endpoint_url=None, session=session, connections=1, request_timeout=1.0
    )


@pytest.fixture
def files_parsed(monkeypatch):
    """The data files that were parsed so far, without those of earlier tests."""
    default_session._data_loader.cache_clear()
    parsed = []
    parse = JSONFileLoader.load_file

    def counted(self, path):
        parsed.append(path)
        return parse(self, path)

    monkeypatch.setattr(JSONFileLoader, "load_file", counted)
    return parsed


async def test_a_second_client_parses_no_data_file(files_parsed):
    first, second = endpoint(), endpoint()
    await first.open()
    assert files_parsed
    files_parsed.clear()
    await second.open()
    assert files_parsed == []
    await first.close()
    await second.close()


async def test_a_client_has_the_credentials_of_the_time_when_it_opened(monkeypatch):
    keys = []
    opened = []
    for name in ("one", "two"):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", name)
        opened.append(endpoint())
        await opened[-1].open()
        keys.append((await opened[-1].credentials.current()).access_key)
    keys.append((await opened[0].credentials.current()).access_key)
    assert keys == ["one", "two", "one"]
    for each in opened:
        await each.close()


async def test_data_of_the_users_own_folder_is_found(monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    opened = endpoint()
    await opened.open()
    assert str(tmp_path) in opened._session.get_component("data_loader").search_paths
    await opened.close()


async def test_a_session_of_the_user_keeps_its_data():
    session = AioSession()
    opened = endpoint(session)
    await opened.open()
    assert session.get_component("data_loader") is not default_session._data_loader(None)
    await opened.close()


async def test_clients_that_open_together_are_made_in_turns_of_the_loop_of_their_own(monkeypatch):
    turn, made = 0, []
    create = AioSession.create_client

    def counted(*args, **options):
        made.append(turn)
        return create(*args, **options)

    async def count_turns():
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(AioSession, "create_client", counted)
    counting = asyncio.create_task(count_turns())
    opened = [endpoint() for _ in range(5)]
    await asyncio.gather(*(each.open() for each in opened))
    counting.cancel()
    assert len(set(made)) == len(made) == 5
    for each in opened:
        await each.close()


def test_each_loop_has_turns_of_its_own():
    """Locks belong to the loop on which somebody waited for them."""

    async def main():
        await asyncio.gather(*(default_session.wait_for_turn() for _ in range(3)))

    asyncio.run(main())
    asyncio.run(main())
