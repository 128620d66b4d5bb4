"""The settings of the indexes: templates for the mappings, and a policy that deletes old indexes.

Only the fields that a query may name are indexed; the others are in the source of each document and are shown. A field
that the schema does not have leaves the mapping as it is, so that a thousand names in records cannot make a thousand
fields.
"""

from __future__ import annotations

from typing import Any, Final

from truckstream.batcher.formats.stream_fields import ARRIVAL
from truckstream.search.indexing.documents import REJECTED_PREFIX
from truckstream.search.language.fields import Kind, search_fields

__all__ = ["ARRIVAL_FORMAT", "index_templates", "lifecycle_policy"]

#: The format of the time of arrival, for mappings and for ranges of queries.
ARRIVAL_FORMAT: Final = "yyyy-MM-dd HH:mm:ss.SSS"

#: A term of Lucene has at most 32,766 bytes; a character has at most four. A longer text is stored, and not found.
_LONGEST_TEXT: Final = 8_191

_TYPES: Final[dict[Kind, dict[str, Any]]] = {
    "text": {"type": "keyword", "ignore_above": _LONGEST_TEXT},
    "whole": {"type": "long"},
    "number": {"type": "double"},
    "boolean": {"type": "boolean"},
}

#: Above 0, the priority of a template that catches all names.
_PRIORITY: Final = 100


def index_templates(
    index: str, schema: Any, *, shards: int = 1, replicas: int | None = None
) -> dict[str, dict[str, Any]]:
    """Return the index templates by name: that of the records, and that of the rejected ones."""
    fields = {field.name: _TYPES[field.kind] for field in search_fields(schema).values()}
    arrival = {ARRIVAL: {"type": "date", "format": ARRIVAL_FORMAT}}
    return {
        index: _template(f"{index}-*", fields | arrival, shards, replicas),
        f"{REJECTED_PREFIX}{index}": _template(f"{REJECTED_PREFIX}{index}-*", _REJECTED, 1, replicas),
    }


def lifecycle_policy(index: str, days: int) -> dict[str, Any]:
    """Return the policy of Index State Management (ISM) that deletes an index so many days after it was made."""
    return {
        "policy": {
            "description": f"Deletes the indexes of {index} after {days} days.",
            "default_state": "kept",
            "states": [
                {
                    "name": "kept",
                    "actions": [],
                    "transitions": [{"state_name": "deleted", "conditions": {"min_index_age": f"{days}d"}}],
                },
                {"name": "deleted", "actions": [{"delete": {}}], "transitions": []},
            ],
            "ism_template": [{"index_patterns": [f"{index}-*", f"{REJECTED_PREFIX}{index}-*"], "priority": _PRIORITY}],
        }
    }


_TEXT: Final = _TYPES["text"]
_REJECTED: Final[dict[str, Any]] = {
    **dict.fromkeys(("reason", "field", "stream", "shard", "sequence_number", "partition_key"), _TEXT),
    "subsequence_number": {"type": "long"},
    "arrival": {"type": "date", "format": "epoch_second"},
    "rule": {"type": "text"},
}


def _template(pattern: str, properties: dict[str, Any], shards: int, replicas: int | None) -> dict[str, Any]:
    settings: dict[str, Any] = {"number_of_shards": shards}
    if replicas is not None:
        settings["number_of_replicas"] = replicas
    return {
        "index_patterns": [pattern],
        "priority": _PRIORITY,
        "template": {"settings": {"index": settings}, "mappings": {"dynamic": False, "properties": properties}},
    }
