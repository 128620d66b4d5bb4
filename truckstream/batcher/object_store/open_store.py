"""Open the object store behind `Batcher(store, …)`: S3, a directory, memory, or an obstore store."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, get_args
from urllib.parse import urlsplit

import obstore
import obstore.store
from obstore.exceptions import BaseError

from truckstream.batcher.object_store.conditional_writes import PROBE_NAME, honours_conditions, possible_endpoints
from truckstream.batcher.object_store.retry import StoreRetryPolicy
from truckstream.batcher.object_store.store import ObjectStore, Store
from truckstream.errors import ConfigurationError, InvalidArgumentError

__all__ = ["Encryption", "StorageClass", "check_prefix", "folder_of", "open_store", "url_of"]

Encryption = Literal["AES256", "aws:kms", "aws:kms:dsse"]
#: The classes whose objects can be read at once: a redelivery reads the objects of an earlier delivery.
StorageClass = Literal["STANDARD", "INTELLIGENT_TIERING", "STANDARD_IA", "ONEZONE_IA", "GLACIER_IR"]

#: For one request, connecting included. An object of 700 records is smaller than a MiB, and a connection that stalls
#: should cost less time than the retry that follows. obstore's default is 30 s.
REQUEST_TIMEOUT: Final = "20s"
CONNECT_TIMEOUT: Final = "3s"

#: Options of obstore's S3Store that choose the credentials.
_CREDENTIAL_OPTIONS: Final = {
    *("credential_provider", "access_key_id", "aws_access_key_id", "skip_signature", "aws_skip_signature"),
    *("container_credentials_full_uri", "aws_container_credentials_full_uri"),
}

_REGION_OPTIONS: Final = {"region", "aws_region", "default_region", "aws_default_region"}

_HINT: Final = "Pass an S3 bucket (s3://bucket), a directory (file:///data), memory:/// or an obstore store."


def check_prefix(option: str, prefix: str) -> str:
    """Return the prefix without slashes at its ends.

    Raises:
        InvalidArgumentError: no store accepts such a key: it has an empty folder, "..", or a control character.
    """
    if not isinstance(prefix, str):
        raise InvalidArgumentError(option, prefix, "must be a str")
    stripped = prefix.strip("/")
    try:
        obstore.put(obstore.store.MemoryStore(), f"{stripped}/key", b"")
    except ValueError as error:
        raise InvalidArgumentError(
            option, prefix, f"must be the names of folders, separated by slashes: {error}"
        ) from None
    return stripped


def folder_of(store: str | ObjectStore) -> str:
    """Return the folder in a bucket that the store writes all keys below; empty if there is none."""
    if isinstance(store, str):
        parts = urlsplit(store)
        return parts.path.strip("/") if parts.scheme == "s3" else ""
    return str(getattr(store, "prefix", None) or "")


def url_of(store: str | Path) -> str:
    """Return the URL of a store that may be given as the path of a directory, which need not exist."""
    text = str(store)
    is_url = not isinstance(store, Path) and ("://" in text or urlsplit(text).scheme in _OPENERS)
    return text if is_url else Path(text).expanduser().absolute().as_uri()


def open_store(
    store: str | ObjectStore,
    *,
    prefix: str,
    region_name: str | None = None,
    endpoint_url: str | None = None,
    max_attempts: int = StoreRetryPolicy().attempts,
    encryption: Encryption | None = None,
    kms_key_id: str | None = None,
    storage_class: StorageClass | None = None,
    options: Mapping[str, Any] | None = None,
) -> Store:
    """Open the store behind a URL, `s3://bucket[/folder]`, `file:///directory` or `memory:///`; or an obstore store.

    `prefix` is a folder in which the batcher may create objects.

    Raises:
        ConfigurationError: the URL names no store, or the store does not accept these options.
    """
    if not isinstance(store, str):
        if not (hasattr(store, "put_async") and hasattr(store, "get_async")):
            raise ConfigurationError("store", f"is {store!r}", _HINT)
        return Store(
            _with_metadata(store),
            probe_key=_probe_key(store, prefix),
            lists_in_order=not isinstance(store, obstore.store.LocalStore),
        )
    if options is not None and not isinstance(options, Mapping):
        raise ConfigurationError("store_options", f"is {options!r}", "Pass a dict of obstore's options.")
    scheme = urlsplit(store).scheme
    if scheme not in _OPENERS:
        raise ConfigurationError("store", f"is {store!r}", _HINT)
    encryption_options = _encryption_options(scheme, encryption, kms_key_id)
    _check_storage_class(scheme, storage_class)
    # As `endpoint`, it would count less than the variable AWS_ENDPOINT_URL_S3 (obstore 0.12).
    given = {"region": region_name, "aws_endpoint_url_s3": endpoint_url, **encryption_options, **(options or {})}
    retry_policy = StoreRetryPolicy(max_attempts) if scheme == "s3" else None
    try:
        opened = _OPENERS[scheme](store, {name: value for name, value in given.items() if value is not None})
        return Store(
            _with_metadata(opened),
            retry_policy,
            probe_key=_probe_key(opened, prefix),
            storage_class=storage_class,
            lists_in_order=scheme != "file",
        )
    except ConfigurationError:
        raise
    except (BaseError, OSError, ValueError, TypeError) as error:
        from truckstream.batcher.object_store.failure import read_failure  # noqa: PLC0415 - needed for errors only

        problem = f"{store!r} cannot be opened: {read_failure(error).message}"
        raise ConfigurationError("store", problem, "Check the URL and the options.") from error


def _check_storage_class(scheme: str, storage_class: str | None) -> None:
    if storage_class is None:
        return
    if scheme != "s3":
        raise ConfigurationError("storage_class", "is set", "Only S3 has classes; leave it out for other stores.")
    if storage_class not in get_args(StorageClass):
        hint = f"Set it to one of {', '.join(get_args(StorageClass))}."
        raise ConfigurationError("storage_class", f"is {storage_class!r}", hint)


def _with_metadata(store: Any) -> Any:
    """Return a store that keeps metadata and a tidy folder if `store` is a directory; else the store itself."""
    if not (isinstance(store, obstore.store.LocalStore) and store.prefix):
        return store
    from truckstream.batcher.object_store.directory.directory_store import (  # noqa: PLC0415 - not for S3
        DirectoryStore,
    )

    return DirectoryStore(store, Path(store.prefix).absolute())


def _probe_key(store: object, prefix: str) -> str | None:
    """Return the key with which a store must prove that it never overwrites; None if that is known of the store."""
    if not isinstance(store, obstore.store.S3Store):
        return None
    if all(map(honours_conditions, possible_endpoints(store.config, os.environ))):
        return None
    return f"{prefix}/{PROBE_NAME}"


def _encryption_options(scheme: str, encryption: Encryption | None, kms_key_id: str | None) -> dict[str, Any]:
    """Return obstore's options for the encryption. A bucket key is used, which saves nearly all requests to KMS."""
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
    bucket = urlsplit(url).netloc
    if not bucket:
        raise ValueError("the URL names no bucket")
    client: dict[str, Any] = {"timeout": REQUEST_TIMEOUT, "connect_timeout": CONNECT_TIMEOUT}
    given = options.get("aws_endpoint_url_s3") or options.get("endpoint")
    endpoints = [str(given)] if given else possible_endpoints({}, os.environ)
    if any(each.startswith("http://") for each in endpoints):
        client["allow_http"] = True
    # obstore's own retries are off: `Store` retries.
    defaults: dict[str, Any] = {"retry_config": {"max_retries": 0}, "checksum_algorithm": "sha256"}
    client |= options.get("client_options", {})
    settings = defaults | _credentials(options) | options | {"client_options": client}
    return obstore.store.S3Store(bucket, prefix=folder_of(url) or None, **settings)


def _credentials(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options for credentials that obstore does not find, unless an option of obstore names credentials."""
    if _CREDENTIAL_OPTIONS & options.keys():
        return {}
    from truckstream.batcher.object_store.credentials.profile_credentials import (  # noqa: PLC0415 - for S3 only
        profile_options,
    )

    found = profile_options(os.environ)
    if _REGION_OPTIONS & options.keys():
        found.pop("region", None)
    return found if "credential_provider" in found else found | _container_credentials()


def _container_credentials() -> dict[str, Any]:
    """Return the credential provider that the environment asks for."""
    if not os.environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        return {}
    from truckstream.batcher.object_store.credentials.container_credentials import (  # noqa: PLC0415 - an HTTP client
        ContainerCredentials,
    )

    provider = ContainerCredentials.find(os.environ)
    return {} if provider is None else {"credential_provider": provider}


def _open_directory(url: str, _: dict[str, Any]) -> ObjectStore:
    from urllib.request import url2pathname  # noqa: PLC0415 - loads an HTTP client, which a function does not need

    parts = urlsplit(url)
    if parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
        raise ValueError("a directory's URL has three slashes and an absolute path")
    return obstore.store.LocalStore(url2pathname(parts.path), mkdir=True)


def _open_memory(_: str, __: dict[str, Any]) -> ObjectStore:
    return obstore.store.MemoryStore()


_OPENERS: Final = {"s3": _open_s3, "file": _open_directory, "memory": _open_memory}
