"""The session of a client whose user passes none, and the turns in which clients open.

Each client gets a session of its own, which reads the environment, the profile and the credentials as they are when it
opens. The sessions share only botocore's data files. Parsed for each session, as botocore does it, they take 8.5 MiB
and 80 ms of CPU a client; 0.3 MiB and 8 ms with the shared ones (aiobotocore 3.10.0, Python 3.11).
"""

from __future__ import annotations

import asyncio
import functools
import weakref
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from aiobotocore.session import AioSession

__all__ = ["make_session", "wait_for_turn"]

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


async def wait_for_turn() -> None:
    """Return in a turn of the event loop in which no other client is made.

    aiobotocore's client takes some milliseconds without a pause. A hundred of them in one turn would hold the loop for
    almost a second.
    """
    async with _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
        await asyncio.sleep(0)
