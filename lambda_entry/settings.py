"""Read the function's settings from environment variables. An error names the variable and how to set it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, cast, get_args

from truckstream.batcher import Batcher
from truckstream.batcher.formats.selection import Compression, FormatName
from truckstream.batcher.object_store.open_store import Encryption, StorageClass
from truckstream.batcher.options import MAX_BATCH_SIZE
from truckstream.batcher.storing.object_key import Layout
from truckstream.errors import ConfigurationError, InvalidArgumentError
from truckstream.record import TruckRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truckstream.batcher.second_target import SecondTarget

__all__ = ["read_batcher", "read_number", "read_schema", "read_store_url"]

_T = TypeVar("_T")

#: The arguments of the Batcher and their variables, for errors that the Batcher raises.
_VARIABLES: Final = {
    "store": "STORE_URL",
    "prefix": "PREFIX",
    "rejected_prefix": "REJECTED_PREFIX",
    "format": "FORMAT",
    "compression": "COMPRESSION",
    "layout": "LAYOUT",
    "event_time": "EVENT_TIME",
    "schema": "SCHEMA",
    "encryption": "ENCRYPTION",
    "kms_key_id": "KMS_KEY_ID",
    "storage_class": "STORAGE_CLASS",
}


def read_batcher(environment: Mapping[str, str]) -> Batcher:
    """Return the batcher that the environment describes. An empty variable counts as not set.

    Raises:
        ConfigurationError: names the setting and how to set it.
    """
    given = {name: value for name, value in environment.items() if value}
    try:
        return Batcher(
            read_store_url(given),
            prefix=given.get("PREFIX", "sensor_data"),
            rejected_prefix=given.get("REJECTED_PREFIX", "rejected"),
            batch_size=_batch_size(given.get("BATCH_SIZE", "700")),
            layout=cast("Layout", _choice(given, "LAYOUT", get_args(Layout), "flat")),
            event_time=given.get("EVENT_TIME"),
            format=cast("FormatName", _choice(given, "FORMAT", get_args(FormatName), "ndjson")),
            compression=_compression(given),
            schema=read_schema(given.get("SCHEMA", "truck")),
            max_in_flight=read_number(given, "MAX_IN_FLIGHT", 16),
            max_bytes_in_flight=read_number(given, "MAX_BYTES_IN_FLIGHT", 16 * 1024 * 1024),
            encryption=cast("Encryption | None", _choice(given, "ENCRYPTION", get_args(Encryption), None)),
            kms_key_id=given.get("KMS_KEY_ID"),
            storage_class=cast("StorageClass | None", _choice(given, "STORAGE_CLASS", get_args(StorageClass), None)),
            second_target=_second_target(given),
            region_name=given.get("AWS_REGION") or given.get("AWS_DEFAULT_REGION"),
            endpoint_url=given.get("AWS_ENDPOINT_URL_S3") or given.get("AWS_ENDPOINT_URL"),
        )
    except InvalidArgumentError as error:
        setting = _VARIABLES.get(error.argument, error.argument)
        raise ConfigurationError(setting, f"is {error.value!r}", f"It {error.rule}.") from error
    except ConfigurationError as error:
        if error.setting not in _VARIABLES:
            raise
        raise ConfigurationError(_VARIABLES[error.setting], error.problem, error.hint) from error


def read_store_url(given: Mapping[str, str]) -> str:
    """Return the URL of STORE_URL, or that of the bucket."""
    if url := given.get("STORE_URL"):
        return url
    if bucket := given.get("BUCKET_NAME"):
        return f"s3://{bucket}"
    hint = "Set BUCKET_NAME to the bucket's name, or STORE_URL (file:///data) in the function's environment."
    raise ConfigurationError("BUCKET_NAME", "is not set", hint)


def _second_target(given: Mapping[str, str]) -> SecondTarget | None:
    """Return the sink of OPENSEARCH_URL, which loads opensearch-py; None if the variable is not set."""
    url = given.get("OPENSEARCH_URL")
    if url is None:
        return None
    try:
        # No import statement, so that the zip does not get the search, which it could not run without opensearch-py.
        search = import_module("truckstream.search")
    except ModuleNotFoundError as missing:
        hint = "Install 'truckstream[search]', or leave OPENSEARCH_URL out."
        raise ConfigurationError("OPENSEARCH_URL", f"is set, and {missing.name} is not installed", hint) from missing
    index = given.get("OPENSEARCH_INDEX", search.DEFAULT_INDEX)
    sink: SecondTarget = search.OpenSearchSink(url, index=index, schema=read_schema(given.get("SCHEMA", "truck")))
    return sink


def _batch_size(value: str) -> int | Literal["auto"]:
    if value == "auto":
        return "auto"
    if not (value.isascii() and value.isdigit() and 1 <= int(value) <= MAX_BATCH_SIZE):
        hint = f"Set it to a number of records up to {MAX_BATCH_SIZE:,}, such as 700, or to auto."
        raise ConfigurationError("BATCH_SIZE", f"is {value!r}", hint)
    return int(value)


def read_number(given: Mapping[str, str], name: str, default: int) -> int:
    """Return a number above 0."""
    value = given.get(name, str(default))
    if not (value.isascii() and value.isdigit() and int(value) > 0):
        raise ConfigurationError(name, f"is {value!r}", f"Set it to a number above 0, such as {default}.")
    return int(value)


def _choice(given: Mapping[str, str], name: str, choices: tuple[str, ...], default: _T) -> str | _T:
    value = given.get(name)
    if value is None:
        return default
    if value not in choices:
        raise ConfigurationError(name, f"is {value!r}", f"Set it to {_or(choices)}.")
    return value


def _or(choices: tuple[str, ...]) -> str:
    return " or ".join(filter(None, (", ".join(choices[:-1]), choices[-1])))


def _compression(given: Mapping[str, str]) -> Compression | None:
    value = _choice(given, "COMPRESSION", (*get_args(Compression), "none"), "none")
    return None if value == "none" else cast("Compression", value)


def read_schema(value: str) -> Any:
    """Return the schema that a setting names."""
    if value == "truck":
        return TruckRecord
    if value == "none":
        return None
    module, _, name = value.partition(":")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        hint = "Set it to truck, to none, or to module:name of a msgspec type or a callable in the function's package."
        raise ConfigurationError("SCHEMA", f"is {value!r}, and {error}", hint) from error
