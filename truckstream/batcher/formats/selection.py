"""The formats behind `Batcher(format=…, compression=…)`.

| format | key ends with | Content-Type | read by |
|---|---|---|---|
| ndjson | .json | application/x-ndjson | DuckDB, Athena (a line is a row), Spark, pandas, `jq`, any editor |
| json | .json | application/json | DuckDB, browsers, programs that expect one JSON document; not Athena |
| + gzip | .json.gz | application/gzip | the same tools, which go by the suffix |
| + zstd | .json.zst | application/zstd | likewise, but Spark needs Hadoop's native library |
| parquet | .parquet | application/vnd.apache.parquet | DuckDB, Athena, Spark, pandas |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, get_args

from truckstream.batcher.formats.json_lines import NDJSON, JsonFormat
from truckstream.batcher.formats.stream_fields import check_fields
from truckstream.errors import InvalidArgumentError

if TYPE_CHECKING:
    from truckstream.batcher.formats.format import Format

__all__ = ["DEFAULT_FORMATS", "Compression", "FormatName", "Formats", "select_formats"]

FormatName = Literal["ndjson", "json", "parquet"]
Compression = Literal["gzip", "zstd"]


class Formats(NamedTuple):
    """The formats of a batcher's two kinds of objects. Rejected records are always lines of JSON."""

    valid: Format = NDJSON
    rejected: Format = NDJSON


#: JSON Lines without compression.
DEFAULT_FORMATS: Final = Formats()


def select_formats(name: str, compression: str | None, schema: Any, *, add_stream_fields: bool = False) -> Formats:
    """Return the formats that the batcher's options name.

    Raises:
        InvalidArgumentError: there is no such format, or it does not fit the schema or the compression.
        ConfigurationError: a package that the format needs is not installed.
    """
    if name not in get_args(FormatName):
        raise InvalidArgumentError("format", name, f"must be one of {', '.join(get_args(FormatName))}")
    if compression is not None and compression not in get_args(Compression):
        raise InvalidArgumentError("compression", compression, 'must be "gzip", "zstd" or None')
    if name == "parquet":
        return _parquet(compression, schema, add_stream_fields=add_stream_fields)
    if add_stream_fields:
        check_fields(schema)
    if compression is None:
        return Formats(JsonFormat(name == "json", None, add_stream_fields), NDJSON)
    from truckstream.batcher.formats.compression import codec_for  # noqa: PLC0415 - loads what few batchers need

    codec = codec_for(compression)
    return Formats(JsonFormat(name == "json", codec, add_stream_fields), JsonFormat(codec=codec))


def _parquet(compression: str | None, schema: Any, *, add_stream_fields: bool) -> Formats:
    if compression not in {None, "zstd"}:
        raise InvalidArgumentError("compression", compression, "must be None: Parquet compresses its pages with zstd")
    from truckstream.batcher.formats.parquet import ParquetFormat  # noqa: PLC0415 - an optional package

    return Formats(ParquetFormat(schema, add_stream_fields=add_stream_fields))
