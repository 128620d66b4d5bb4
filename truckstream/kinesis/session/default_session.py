"""The session of a client whose user passes none, and the turns in which clients open.

Each client gets a session of its own, which reads the environment, the profile and the credentials as they are when it
opens. The sessions share only botocore's data files. Parsed for each session, as botocore does it, they take 8.5 MiB
and 80 ms of CPU a client; 0.3 MiB and 8 ms with the shared ones (aiobotocore 3.10.0, Python 3.11).
"""

from __future__ import annotations

import asyncio
import functools
import weakref
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiobotocore.session import AioSession

__all__ = ["load_aiobotocore", "make_session", "prepared_session", "wait_for_turn"]

#: Modules and data files that aiobotocore loads when it makes the first client.
_MODULES: Final = ("aiobotocore.config", "aiobotocore.session", "aiobotocore.httpsession")
_DATA_FILES: Final = ("endpoints", "partitions", "sdk-default-configuration", "_retry")

_turns: Final[weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock]] = weakref.WeakKeyDictionary()


def make_session() -> AioSession:
    """Make an aiobotocore session whose data files are parsed once a process.

    Raises:
        botocore.exceptions.BotoCoreError: the environment names a profile that does not exist.
    """
    from aiobotocore.session import get_session  # noqa: PLC0415 - half a second of CPU, for those who open one

    session: AioSession = get_session()
    session.register_component("data_loader", _data_loader(session.get_config_variable("data_path")))
    return session


@functools.cache
def _data_loader(data_path: str | None) -> Any:
    """Return the loader of the data below botocore's own folders and `data_path` (AWS_DATA_PATH).

    It keeps the parsed files, which nobody changes. So sessions of several threads, and of forked processes, may share
    it; two threads may parse the same file at first.
    """
    from botocore.loaders import create_loader  # noqa: PLC0415 - loaded with the client

    return create_loader(data_path)


async def load_aiobotocore() -> None:
    """Import what aiobotocore's clients need, in a thread: it takes 0.15 s, which would hold the event loop."""
    await asyncio.to_thread(_import_all)


def _import_all() -> None:
    for module in _MODULES:
        import_module(module)


async def prepared_session(session: AioSession | None, *services: str) -> AioSession:
    """Return `session`, or a new one, which has all data files that its clients of `services` need.

    A thread parses them, because that takes 0.1 s for the first session.

    Raises:
        botocore.exceptions.BotoCoreError: the environment names a profile that does not exist.
    """
    return await asyncio.to_thread(_prepare, session, services)


def _prepare(session: AioSession | None, services: Sequence[str]) -> AioSession:
    from botocore.exceptions import DataNotFoundError  # noqa: PLC0415 - loaded with the client

    prepared: Any = session or make_session()
    loader = prepared.get_component("data_loader")
    with suppress(DataNotFoundError):  # a loader of the user's own need not have them all
        for name in _DATA_FILES:
            loader.load_data(name)
        for service in services:
            for kind in ("service-2", "endpoint-rule-set-1"):
                loader.load_service_model(service, kind)
    return prepared


async def wait_for_turn() -> None:
    """Return in a turn of the event loop in which no other client is made.

    aiobotocore's client takes some milliseconds without a pause. A hundred of them in one turn would hold the loop for
    almost a second.
    """
    async with _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
        await asyncio.sleep(0)
