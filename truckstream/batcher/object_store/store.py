"""Create, look at and read objects through obstore, with retries and with its errors translated.

- `create` never overwrites. obstore's `mode="create"` is S3's `If-None-Match: *`, and on a directory a hard link to a
  file written beside it: the object is there as a whole or not at all.
- obstore raises AlreadyExistsError both if the object exists (412) and if another request for the key was under way and
  nothing was stored (409; apache/arrow-rs-object-store#852). A 409 is made again after a wait; obstore never does so.
  A store's exception may not show its status, so only `look` proves that the object exists.
- A store that is not known to refuse an overwrite must prove it before the first object (`conditional_writes.py`).
- Every body carries a SHA-256, which S3 checks and keeps with the object. TLS or the signature protects the rest.
- A store may keep no metadata: obstore raises NotImplementedError (0.12), and from then on none is sent. A directory
  keeps it in files of its own (`directory/metadata_files.py`).
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from obstore.exceptions import AlreadyExistsError, BaseError, GenericError

from truckstream.batcher.object_store.retry import StoreRetryPolicy
from truckstream.batcher.object_store.threaded_store import KeyListing, ThreadedStore
from truckstream.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from truckstream.batcher.object_store.failure import StoreFailure

__all__ = ["ObjectStore", "Store", "StoredObject"]

_T = TypeVar("_T")


class ObjectStore(Protocol):
    """The two methods of an obstore store that the batcher calls."""

    def put_async(self, path: str, file: bytes, *, mode: Any = None, attributes: Any = None) -> Awaitable[Any]: ...

    def get_async(self, path: str, *, options: Any = None) -> Awaitable[Any]: ...


class StoredObject(NamedTuple):
    """An existing object's size and metadata."""

    size: int
    metadata: dict[str, str]


class ListedKey(NamedTuple):
    """An existing object in a listing."""

    key: str
    size: int
    #: When it was stored.
    modified: datetime


class Store:
    """Creates, looks at and reads objects. Retries requests that fail for a moment only."""

    def __init__(
        self,
        store: ObjectStore,
        retry_policy: StoreRetryPolicy | None = None,
        random: Random | None = None,
        *,
        storage_class: str | None = None,
        probe_key: str | None = None,
        lists_in_order: bool = True,
    ) -> None:
        """Take a store of obstore.

        Args:
            store: the store.
            retry_policy: the policy for requests; by default a request is made once.
            random: chooses the waits.
            storage_class: the class of the objects on S3; None for the bucket's default.
            probe_key: the object with which the store must prove that it never overwrites; None if that is known.
            lists_in_order: whether the store lists keys in their order.
        """
        self.lists_in_order = lists_in_order
        self._retry_policy = retry_policy or StoreRetryPolicy(attempts=1)
        # Every store is asked again after a 409, also one that makes its other retries itself.
        self._conflict_policy = retry_policy or StoreRetryPolicy()
        self._random = random or Random()
        # obstore's own stores have blocking calls too, which are safer.
        self._store: ObjectStore = ThreadedStore(store) if hasattr(store, "put") else store
        self._keeps_metadata = True
        self._more_attributes = {} if storage_class is None else {"Storage-Class": storage_class}
        self._probe_key = probe_key

    def __repr__(self) -> str:
        return f"Store({self._store!r})"

    async def create(self, key: str, body: bytes, attributes: Mapping[str, str]) -> bool:
        """Create the object; return False if the store reports that it exists.

        `attributes` are its HTTP headers and its metadata.

        Raises:
            StoreError: the object is not stored, or it is unknown whether it is.
        """
        if self._probe_key is not None:
            await self._prove_conditional_writes(self._probe_key)
        return await self._create(key, body, attributes)

    async def replace(self, key: str, body: bytes) -> None:
        """Store an object without metadata, in place of the one that exists.

        Raises:
            StoreError: the object is not stored, or it is unknown whether it is.
        """
        with _errors_translated(key):
            await self._retry(lambda: self._store.put_async(key, body))

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete objects that `replace` stored. Those that do not exist are deleted already.

        Raises:
            StoreError: it is unknown which of them still exist.
        """
        if not isinstance(self._store, ThreadedStore):
            raise StoreError("NotSupported", f"{self._store!r} cannot delete objects", hint="Use a store of obstore.")
        threaded = self._store
        for key in keys:
            with _errors_translated(key), suppress(FileNotFoundError):  # a directory reports it, S3 does not
                await self._retry(lambda key=key: threaded.delete_async([key]))  # type: ignore[misc]

    async def look(self, key: str) -> StoredObject | None:
        """Return the object's size and metadata; None if it does not exist."""
        with _errors_translated(key):
            try:
                found = await self._retry(lambda: self._store.get_async(key, options={"head": True}))
            except FileNotFoundError:
                return None
            return _stored_object(found)

    async def read(self, key: str) -> bytes:
        """Return the object's content."""
        with _errors_translated(key):
            return await self._retry(lambda: self._read(key))

    async def fetch(self, key: str) -> tuple[StoredObject, bytes] | None:
        """Return the object's size and metadata, and its content, in one request; None if it does not exist."""
        with _errors_translated(key):
            try:
                found, content = await self._retry(lambda: self._fetch(key))
            except FileNotFoundError:
                return None
            return _stored_object(found), content

    @property
    def completes_metadata(self) -> bool:
        """Whether metadata can be written after the object: only a directory keeps them apart."""
        return isinstance(self._store, ThreadedStore) and self._store.completes_metadata

    async def complete(self, key: str, attributes: Mapping[str, str]) -> None:
        """Write the metadata of an object that has none, if the store `completes_metadata`."""
        if isinstance(self._store, ThreadedStore):
            with _errors_translated(key):
                await self._store.complete_async(key, attributes)

    async def read_range(self, key: str, start: int, length: int) -> bytes:
        """Return `length` bytes of the object's content, from `start` on."""
        with _errors_translated(key):
            if not isinstance(self._store, ThreadedStore):
                raise StoreError("NotSupported", f"{self._store!r} reads no ranges", hint="Use a store of obstore.")
            threaded = self._store
            return await self._retry(lambda: threaded.get_range_async(key, start, length))

    async def list(self, prefix: str, *, after: str = "") -> AsyncIterator[list[ListedKey]]:
        """Yield the objects in the folder `prefix` and its folders whose keys sort after `after`, some at a time.

        Raises:
            StoreError: the store cannot be listed.
        """
        with _errors_translated(f"{prefix}/"):
            if not isinstance(self._store, ThreadedStore):
                raise StoreError("NotSupported", f"{self._store!r} cannot list objects", hint="Use a store of obstore.")
            listing = KeyListing(self._store, prefix, after)
            while (chunk := await self._retry(listing.next_chunk)) is not None:
                yield [ListedKey(each["path"], each["size"], each["last_modified"]) for each in chunk]

    async def _prove_conditional_writes(self, key: str) -> None:
        """Raise StoreError if the store creates an object that it has created before."""
        if await self._create(key, b"", {}) and await self._create(key, b"", {}):
            raise StoreError(
                "NoConditionalWrites",
                f"{key}: the store has overwritten this object in spite of If-None-Match: *, so that a late request "
                "could replace stored records",
                hint="Update the store to a version with conditional writes, or use another store. Nothing is stored "
                "until then.",
                retryable=False,
            )
        self._probe_key = None

    async def _create(self, key: str, body: bytes, attributes: Mapping[str, str]) -> bool:
        with _errors_translated(key):
            try:
                await self._retry(lambda: self._put(key, body, attributes))
            except AlreadyExistsError as error:
                if _read_failure(error).is_conflict:
                    raise
                return False
        return True

    async def _read(self, key: str) -> bytes:
        _, content = await self._fetch(key)
        return content

    async def _fetch(self, key: str) -> tuple[Any, bytes]:
        found = await self._store.get_async(key)
        return found, bytes(await found.bytes_async())

    async def _retry(self, request: Callable[[], Awaitable[_T]]) -> _T:
        """Make a request until it succeeds, fails permanently, or has failed too often."""
        failures = 0
        while True:
            try:
                return await request()
            except (GenericError, AlreadyExistsError) as error:
                failures += 1
                wait = self._wait_after(error, failures)
                if wait is None:
                    raise
            await asyncio.sleep(wait)

    def _wait_after(self, error: BaseError, failures: int) -> float | None:
        """Return the seconds until the next attempt; None if there is none."""
        failure = _read_failure(error)
        if isinstance(error, AlreadyExistsError) and not failure.is_conflict:
            return None
        policy = self._conflict_policy if failure.is_conflict else self._retry_policy
        wait = policy.wait(failures, self._random, got_response=failure.status is not None)
        return wait if failure.rule.retried else None

    async def _put(self, key: str, body: bytes, attributes: Mapping[str, str]) -> None:
        if self._keeps_metadata:
            try:
                await self._store.put_async(
                    key, body, mode="create", attributes={**attributes, **self._more_attributes}
                )
            except NotImplementedError:
                self._keeps_metadata = False
            else:
                return
        await self._store.put_async(key, body, mode="create")


def _stored_object(found: Any) -> StoredObject:
    return StoredObject(found.meta["size"], {str(name): value for name, value in found.attributes.items()})


@contextmanager
def _errors_translated(key: str) -> Iterator[None]:
    try:
        yield
    # obstore also raises builtins: FileNotFoundError (no such bucket), OSError, ValueError, NotImplementedError.
    except (BaseError, OSError, ValueError, RuntimeError) as error:
        failure = _read_failure(error)
        message, rule = f"{key}: {failure.message}", failure.rule
        raise StoreError(failure.code, message, hint=rule.hint, retryable=rule.retried) from error


def _read_failure(error: Exception) -> StoreFailure:
    from truckstream.batcher.object_store.failure import read_failure  # noqa: PLC0415 - needed for errors only

    return read_failure(error)
