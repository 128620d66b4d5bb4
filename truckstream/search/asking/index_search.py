"""Ask OpenSearch.

A page of results is continued after the sort values of its last one (`search_after`), so that an answer may have more
than 10,000 rows, OpenSearch's limit for a page. Records that arrive meanwhile come before the first page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from truckstream.batcher.formats.stream_fields import ARRIVAL, SEQUENCE, SUBSEQUENCE
from truckstream.errors import SearchError
from truckstream.search.asking.rows import SearchOptions, arrival_text, row_maker
from truckstream.search.indexing.index_template import ARRIVAL_FORMAT
from truckstream.search.indexing.sink import DEFAULT_INDEX
from truckstream.search.language.opensearch_query import query_dsl
from truckstream.search.language.parser import parse_query
from truckstream.search.opensearch.client import OpenSearchClient, OpenSearchOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truckstream.kinesis.session.user_session import UserSession
    from truckstream.search.asking.rows import Row

__all__ = ["search_index"]

#: Rows of a page: 5,000 records of 500 bytes are some 4 MB of JSON.
_PAGE: Final = 5_000

_SORT: Final = [
    {ARRIVAL: {"order": "desc", "unmapped_type": "date"}},
    {SEQUENCE: {"order": "desc", "unmapped_type": "keyword"}},
    {SUBSEQUENCE: {"order": "desc", "unmapped_type": "long"}},
]


async def search_index(
    query: str,
    url: str,
    *,
    index: str = f"{DEFAULT_INDEX}-*",
    request_timeout: float = 30.0,
    session: UserSession | None = None,
    client_options: Mapping[str, Any] | None = None,
    **options: Any,
) -> list[Row]:
    """Return the newest records in OpenSearch that match a query.

    Args:
        query: see the page of this package.
        url: as for `OpenSearchSink`.
        index: the indexes to search, a pattern or several names joined by commas.
        request_timeout: seconds until a request without a response counts as failed.
        session: as for `OpenSearchSink`.
        client_options: as for `OpenSearchSink`.
        **options: the attributes of `SearchOptions`.

    Raises:
        InvalidQueryError: the query breaks a rule, or names a field that the records do not have.
        InvalidArgumentError, ConfigurationError: another option breaks a rule.
        SearchError: OpenSearch cannot be reached, rejects the search, or could not search all indexes.
    """
    chosen = SearchOptions(**options)
    body = _search_body(query, chosen)
    rows: list[Row] = []
    make_row = row_maker(chosen.schema)
    async with OpenSearchClient(
        url, OpenSearchOptions(session=session, request_timeout=request_timeout, client_options=client_options)
    ) as client:
        while len(rows) < chosen.limit:
            body["size"] = min(_PAGE, chosen.limit - len(rows))
            hits = await _page(client, index, body)
            rows += (make_row(hit["_source"]) for hit in hits)
            if len(hits) < body["size"]:
                break
            body["search_after"] = hits[-1]["sort"]
    return rows


def _search_body(query: str, options: SearchOptions) -> dict[str, Any]:
    filters = [query_dsl(parse_query(query, options.schema))]
    bounds = {
        name: arrival_text(time) for name, time in (("gte", options.since), ("lt", options.until)) if time is not None
    }
    if bounds:
        filters.append({"range": {ARRIVAL: {**bounds, "format": ARRIVAL_FORMAT}}})
    return {"query": {"bool": {"filter": filters}}, "sort": _SORT, "track_total_hits": False}


async def _page(client: OpenSearchClient, index: str, body: dict[str, Any]) -> list[Any]:
    found = await client.request(
        "POST",
        f"/{quote(index, safe='*,')}/_search",
        body,
        # A part of the answer would look like the whole.
        allow_partial_search_results="false",
        ignore_unavailable="true",
    )
    if found.get("timed_out") or found["_shards"]["failed"]:
        raise SearchError("PartialResult", "OpenSearch could not search all indexes; ask again", retryable=True)
    hits: list[Any] = found["hits"]["hits"]
    return hits
