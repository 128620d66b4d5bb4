"""Where objects lie: obstore behind two verbs, `create` and `look`, with its errors translated.

- `create` never overwrites. obstore's `mode="create"` is S3's `If-None-Match: *`, and on a directory a hard link of
  a file written beside it: an object is there as a whole or not at all.
- obstore tells "it exists" (412) and "another request for this key was under way, and nothing landed" (409) alike,
  as AlreadyExistsError (apache/arrow-rs-object-store#852). So `create` answers False to both, and only `look` knows.
- Requests to S3 that fail in passing are repeated (see `retry`), with obstore's own retries off.
- Every body carries a SHA-256, which S3 checks and keeps with the object, and TLS or the signature covers the rest.
- A directory keeps no metadata, and obstore says so with NotImplementedError (0.12). Then we stop offering it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeVar, get_args
from urllib.parse import urlsplit

import obstore.store
from obstore.exceptions import AlreadyExistsError, BaseError, GenericError

from truckstream.batcher.storing.retry import Retry, is_passing, status_of
from truckstream.batcher.storing.threads import ThreadedStore
from truckstream.errors import ConfigurationError, InvalidArgumentError, StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

__all__ = ["Encryption", "ObjectStore", "Store", "StoredObject", "check_prefix", "open_store"]

_T = TypeVar("_T")

Encryption = Literal["AES256", "aws:kms", "aws:kms:dsse"]

#: For one request, connecting included: an object of 700 records is under a MiB, and a stalled connection should cost
#: less than the retry that follows it. obstore's own is 30 s.
REQUEST_TIMEOUT: Final = "20s"
CONNECT_TIMEOUT: Final = "3s"


class ObjectStore(Protocol):
    """The two methods that are used of an obstore store."""

    def put_async(self, path: str, file: bytes, *, mode: Any = None, attributes: Any = None) -> Awaitable[Any]: ...

    def get_async(self, path: str, *, options: Any = None) -> Awaitable[Any]: ...


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What a look at a key finds."""

    size: int
    metadata: Mapping[str, str]


class Store:
    """Creates objects and looks at them. Requests that fail in passing are repeated as `retry` says, or not at all."""

    def __init__(self, store: ObjectStore, retry: Retry | None = None, random: Random | None = None) -> None:
        self._retry = retry or Retry(attempts=1)
        self._random = random or Random()
        # obstore's own stores have blocking calls as well, which are the safer ones.
        self._store: ObjectStore = ThreadedStore(store) if hasattr(store, "put") else store
        self._keeps_metadata = True

    def __repr__(self) -> str:
        return f"Store({self._store!r})"

    async def create(self, key: str, body: bytes, attributes: Mapping[str, str]) -> bool:
        """Create the object; False if it exists, or if another attempt to create it got in the way.

        `attributes` are its HTTP headers and its metadata.

        Raises:
            StoreError: it was not stored, or nobody knows.
        """
        with _translated(key):
            try:
                await self._again(lambda: self._put(key, body, attributes))
            except AlreadyExistsError:
                return False
        return True

    async def look(self, key: str) -> StoredObject | None:
        """The object's size and metadata; None if it is not there."""
        with _translated(key):
            try:
                found = await self._again(lambda: self._store.get_async(key, options={"head": True}))
            except FileNotFoundError:
                return None
            return StoredObject(found.meta["size"], {str(name): value for name, value in found.attributes.items()})

    async def read(self, key: str) -> bytes:
        """The object's content."""
        with _translated(key):
            return await self._again(lambda: self._read(key))

    async def _read(self, key: str) -> bytes:
        found = await self._store.get_async(key)
        return bytes(await found.bytes_async())

    async def _again(self, request: Callable[[], Awaitable[_T]]) -> _T:
        """Make a request until it succeeds, fails for good, or has failed too often."""
        failures = 0
        while True:
            try:
                return await request()
            except GenericError as error:
                failures += 1
                message = str(error)
                wait = self._retry.wait(failures, self._random, answered=status_of(message) is not None)
                if wait is None or not is_passing(message):
                    raise
            await asyncio.sleep(wait)

    async def _put(self, key: str, body: bytes, attributes: Mapping[str, str]) -> None:
        if self._keeps_metadata:
            try:
                await self._store.put_async(key, body, mode="create", attributes=dict(attributes))
            except NotImplementedError:
                self._keeps_metadata = False
            else:
                return
        await self._store.put_async(key, body, mode="create")


@contextmanager
def _translated(key: str) -> Iterator[None]:
    try:
        yield
    # obstore also raises builtins: FileNotFoundError (no such bucket), OSError, ValueError, NotImplementedError.
    except (BaseError, OSError, ValueError, RuntimeError) as error:
        # The first line says what happened; those after it are a dump of the Rust error.
        raise StoreError(type(error).__name__, f"{key}: {str(error).partition(chr(10))[0]}") from error


_STORES: Final = "Name an S3 bucket (s3://bucket), a directory (file:///data) or memory:///, or give an obstore store."


def check_prefix(option: str, prefix: str) -> str:
    """What keys can begin with, without slashes at its ends.

    Raises:
        InvalidArgumentError: no store would take such a key: it has an empty folder, "..", or a control character.
    """
    if not isinstance(prefix, str):
        raise InvalidArgumentError(option, prefix, "must be a str")
    stripped = prefix.strip("/")
    try:
        obstore.put(obstore.store.MemoryStore(), f"{stripped}/key", b"")
    except ValueError as error:
        raise InvalidArgumentError(
            option, prefix, f"must be the names of folders with slashes between: {error}"
        ) from None
    return stripped


def open_store(
    store: str | ObjectStore,
    *,
    region_name: str | None = None,
    endpoint_url: str | None = None,
    max_attempts: int = Retry().attempts,
    encryption: Encryption | None = None,
    kms_key_id: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> Store:
    """The store behind a URL, `s3://bucket[/folder]`, `file:///directory` or `memory:///`; or an obstore store itself.

    Raises:
        ConfigurationError: the URL names no store, or the store does not take these options.
    """
    if not isinstance(store, str):
        if not (hasattr(store, "put_async") and hasattr(store, "get_async")):
            raise ConfigurationError("store", f"is {store!r}", _STORES)
        return Store(store)
    if options is not None and not isinstance(options, Mapping):
        raise ConfigurationError("store_options", f"is {options!r}", "Give a dict of obstore's options.")
    scheme = urlsplit(store).scheme
    if scheme not in _OPENERS:
        raise ConfigurationError("store", f"is {store!r}", _STORES)
    encrypted = _encryption(scheme, encryption, kms_key_id)
    given = {"region": region_name, "endpoint": endpoint_url, **encrypted, **(options or {})}
    retry = Retry(max_attempts) if scheme == "s3" else Retry(1)
    try:
        opened = _OPENERS[scheme](store, {name: value for name, value in given.items() if value is not None})
        return Store(opened, retry)
    except (BaseError, OSError, ValueError, TypeError) as error:
        problem = f"{store!r} cannot be opened: {str(error).partition(chr(10))[0]}"
        raise ConfigurationError("store", problem, "Check the URL and the options.") from error


def _encryption(scheme: str, encryption: Encryption | None, kms_key_id: str | None) -> dict[str, Any]:
    """Obstore's options for it. A KMS key's bucket key is used, which saves nearly all requests to KMS."""
    if encryption is None and kms_key_id is None:
        return {}
    if scheme != "s3":
        raise ConfigurationError("encryption", "is set", "Only S3 encrypts; leave it out for other stores.")
    algorithm = encryption or "aws:kms"
    if algorithm not in get_args(Encryption):
        hint = f"Set it to one of {', '.join(get_args(Encryption))}."
        raise ConfigurationError("encryption", f"is {encryption!r}", hint)
    if algorithm == "AES256":
        if kms_key_id is not None:
            raise ConfigurationError("kms_key_id", "is set with AES256", "Set encryption to aws:kms, or leave one out.")
        return {"server_side_encryption": algorithm}
    bucket_key = {"sse_bucket_key_enabled": True} if algorithm == "aws:kms" else {}  # DSSE has none
    return {"server_side_encryption": algorithm, "sse_kms_key_id": kms_key_id, **bucket_key}


def _open_s3(url: str, options: dict[str, Any]) -> ObjectStore:
    parts = urlsplit(url)
    if not parts.netloc:
        raise ValueError("the URL names no bucket")
    client: dict[str, Any] = {"timeout": REQUEST_TIMEOUT, "connect_timeout": CONNECT_TIMEOUT}
    if str(options.get("endpoint", "")).startswith("http://"):
        client["allow_http"] = True
    defaults: dict[str, Any] = {"retry_config": {"max_retries": 0}, "checksum_algorithm": "sha256"}
    client |= options.get("client_options", {})
    settings = defaults | options | {"client_options": client}
    return obstore.store.S3Store(parts.netloc, prefix=parts.path.strip("/") or None, **settings)


def _open_directory(url: str, _: dict[str, Any]) -> ObjectStore:
    from urllib.request import url2pathname  # noqa: PLC0415 - brings an HTTP client, which the function can do without

    parts = urlsplit(url)
    if parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
        raise ValueError("a directory's URL has three slashes and an absolute path")
    return obstore.store.LocalStore(url2pathname(parts.path), mkdir=True)


def _open_memory(_: str, __: dict[str, Any]) -> ObjectStore:
    return obstore.store.MemoryStore()


_OPENERS: Final = {"s3": _open_s3, "file": _open_directory, "memory": _open_memory}
