"""The catalog of a store: list the batcher's objects of a time, and read them.

A listing of S3 costs a request for each 1,000 objects, and a bucket may hold millions, so a catalog begins at the first
key that can lie in the time, and skips the others. Keys sort by their time:

    sensor_data/batch_2025-01-15T14-30-25_a1b2c3d4.json              the flat layout
    sensor_data/year=2025/month=01/day=15/hour=14/batch_….json       the hive layout

A store may hold both, because the layout of a batcher can be changed. "batch_" sorts before "year=".
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from truckstream.batcher.object_store.open_store import check_prefix, open_store
from truckstream.data.objects.object_name import ObjectName
from truckstream.errors import ConfigurationError, InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from truckstream.batcher.object_store.store import ObjectStore, Store

__all__ = ["Catalog", "ListedObject", "is_within", "store_url"]

#: With the batcher's `event_time`, the hour of an object's folder may differ so much from its arrival.
_EVENT_TIME_REACH: Final = timedelta(days=1)


class ListedObject(NamedTuple):
    """An object of the batcher."""

    key: str
    size: int
    #: When it was stored.
    modified: datetime
    name: ObjectName


class Catalog:
    """The objects of one store.

    Args:
        store: `s3://bucket[/folder]`, `file:///directory`, the path of a directory, or an obstore store.
        prefix, rejected_prefix: the folders of valid and of rejected records, as in `Batcher`.
        region_name, endpoint_url, store_options: for S3, as in `Batcher`.

    Raises:
        ConfigurationError: the store cannot be opened, or the directory does not exist.
    """

    def __init__(
        self,
        store: str | Path | ObjectStore,
        *,
        prefix: str = "sensor_data",
        rejected_prefix: str = "rejected",
        region_name: str | None = None,
        endpoint_url: str | None = None,
        store_options: Mapping[str, Any] | None = None,
    ) -> None:
        self.prefix = check_prefix("prefix", prefix)
        self.rejected_prefix = check_prefix("rejected_prefix", rejected_prefix)
        #: The URL of the store; None if it was given as an obstore store.
        self.url = store_url(store) if isinstance(store, str | Path) else None
        self.store: Store = open_store(
            self.url or store,  # type: ignore[arg-type]
            prefix=self.prefix,
            region_name=region_name,
            endpoint_url=endpoint_url,
            options=store_options,
        )

    async def objects(
        self, prefix: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> AsyncIterator[ListedObject]:
        """Yield the objects below a prefix whose first records arrived from `since` on and before `until`.

        They come in the order of their keys, except from a directory, where they come in any order. Objects with other
        names than the batcher's are left out.

        Raises:
            StoreError: the store cannot be listed.
        """
        for start, stop in _ranges(prefix, _aware("since", since), _aware("until", until)):
            async for chunk in self.store.list(prefix, after=start):
                for each in chunk:
                    name = ObjectName.parse(each.key) if start < each.key < stop else None
                    if name is not None and is_within(name.arrival, since, until):
                        yield ListedObject(each.key, each.size, each.modified, name)
                if self.store.lists_in_order and chunk and chunk[-1].key >= stop:
                    break

    async def read(self, key: str) -> bytes:
        """Return the content of an object.

        Raises:
            StoreError: it cannot be read.
        """
        return await self.store.read(key)


def store_url(store: str | Path) -> str:
    """Return the URL of a store that may be given as the path of a directory.

    Raises:
        ConfigurationError: it is a directory that does not exist.
    """
    text = str(store)
    parts = urlsplit(text)
    if parts.scheme in {"s3", "memory"}:
        return text
    path = _directory_of(text) if parts.scheme == "file" else Path(text).expanduser()
    if not path.is_dir():
        raise ConfigurationError("store", f"is {text!r}, and there is no such directory", "Check the path, or the URL.")
    return path.resolve().as_uri()


def _directory_of(url: str) -> Path:
    from urllib.request import url2pathname  # noqa: PLC0415 - loads an HTTP client

    return Path(url2pathname(urlsplit(url).path))


def _aware(argument: str, time: datetime | None) -> datetime | None:
    if time is not None and time.tzinfo is None:
        raise InvalidArgumentError(argument, time, "must have a time zone")
    return None if time is None else time.astimezone(UTC)


def is_within(time: datetime, since: datetime | None, until: datetime | None) -> bool:
    """Return whether a time lies from `since` on and before `until`."""
    return (since is None or since <= time) and (until is None or time < until)


def _ranges(prefix: str, since: datetime | None, until: datetime | None) -> list[tuple[str, str]]:
    """Return the ranges of keys, exclusive, that contain the objects of a time: one for each layout."""
    begin = f"{prefix}/" if prefix else ""
    flat = (
        begin + (f"batch_{since:%Y-%m-%dT%H-%M-%S}" if since else "batch_"),
        begin + (f"batch_{until:%Y-%m-%dT%H-%M-%S}" if until else "batch_~"),
    )
    hive = (
        begin + (f"{since - _EVENT_TIME_REACH:year=%Y/month=%m/day=%d/hour=%H}" if since else "year="),
        begin + (f"{until + _EVENT_TIME_REACH:year=%Y/month=%m/day=%d/hour=%H~}" if until else "year=~"),
    )
    return [flat, hive]
