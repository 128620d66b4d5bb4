"""Search: records into OpenSearch, and one query language for OpenSearch and for the stored objects.

`indexing/` writes records to OpenSearch, `language/` reads queries and translates them, and `asking/` answers them.
"""

from __future__ import annotations

from truckstream.search.asking.index_search import search_index
from truckstream.search.asking.store_search import search_store
from truckstream.search.indexing.index_template import index_templates, lifecycle_policy
from truckstream.search.indexing.sink import DEFAULT_INDEX, OpenSearchSink
from truckstream.search.indexing.writer import RejectedDocument, SinkStats
from truckstream.search.language.parser import parse_query

__all__ = [
    "DEFAULT_INDEX",
    "OpenSearchSink",
    "RejectedDocument",
    "SinkStats",
    "index_templates",
    "lifecycle_policy",
    "parse_query",
    "search_index",
    "search_store",
]
