"""Create the index templates and the policy in OpenSearch, or bring them up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from truckstream.errors import ConfigurationError
from truckstream.search.indexing.index_template import index_templates, lifecycle_policy

if TYPE_CHECKING:
    from truckstream.search.opensearch.client import OpenSearchClient

__all__ = ["prepare_indexes"]


async def prepare_indexes(
    client: OpenSearchClient,
    index: str,
    schema: Any,
    *,
    keep_days: int | None,
    shards: int,
    replicas: int | None,
) -> None:
    """Create or update the templates of a schema, none if it is None, and the policy, if days are given.

    Raises:
        ConfigurationError: OpenSearch Serverless has no policies.
        SearchError: OpenSearch cannot be reached, or rejects a request.
    """
    if keep_days is not None and client.is_serverless:
        hint = "Leave keep_days out, and delete old indexes by name."
        raise ConfigurationError("keep_days", "is set, and OpenSearch Serverless has no policies for indexes", hint)
    if schema is not None:
        for name, template in index_templates(index, schema, shards=shards, replicas=replicas).items():
            await client.request("PUT", f"/_index_template/{quote(name)}", template)
    if keep_days is not None:
        await _put_policy(client, index, lifecycle_policy(index, keep_days))


async def _put_policy(client: OpenSearchClient, index: str, policy: dict[str, Any]) -> None:
    path = f"/_plugins/_ism/policies/{quote(index)}"
    existing = await client.request("GET", path)
    # OpenSearch replaces a policy only for a caller that names the version that it has read.
    version = (
        {} if existing is None else {"if_seq_no": existing["_seq_no"], "if_primary_term": existing["_primary_term"]}
    )
    await client.request("PUT", path, policy, **version)
