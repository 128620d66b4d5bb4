"""The failures of a request, or of one document of a bulk request, and how each is handled.

| failure | action |
|---|---|
| no response; 429, 500, 502, 503, 504; a response that is no JSON | tried again after a wait |
| 413 | sent again in two halves; one document alone is set aside |
| 400 of a document, for an error in `DOCUMENT_ERRORS` | the document is set aside with the reason |
| everything else, such as 401, 403 and 404 | an error: every document would fail alike |

A 400 may also be about the cluster, such as `validation_exception` when it has no room for another shard. If these were
set aside, a full cluster would empty the stream into the index of rejected records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Action", "OpenSearchFailure", "failure_of_item"]

Action = Literal["retry", "halve", "set aside", "raise"]

_RETRIED: Final = frozenset({0, 429, 500, 502, 503, 504})

#: The types of errors that are about a document (OpenSearch 2.19, org.opensearch.index.mapper and xcontent).
DOCUMENT_ERRORS: Final = frozenset(
    {
        "mapper_parsing_exception",
        "document_parsing_exception",
        "parsing_exception",
        "strict_dynamic_mapping_exception",
        "illegal_argument_exception",
        "not_x_content_exception",
        "x_content_parse_exception",
        "json_parse_exception",
    }
)


class OpenSearchFailure(NamedTuple):
    """Why a request or a document failed."""

    #: The HTTP status; 0 without a response.
    status: int
    #: The type of OpenSearch's error, or the name of the client's.
    code: str
    reason: str

    @property
    def action(self) -> Action:
        """The action for a request, or for a document of a bulk request that succeeded."""
        if self.status in _RETRIED:
            return "retry"
        if self.status == 413:  # noqa: PLR2004 - the table above
            return "halve"
        return "set aside" if self.status == 400 and self.code in DOCUMENT_ERRORS else "raise"  # noqa: PLR2004


def failure_of_item(result: Mapping[str, Any]) -> OpenSearchFailure:
    """Return the failure of a document from its result in the response of a bulk request."""
    error = result.get("error")
    status = result.get("status", 0)
    if not isinstance(error, dict):
        return OpenSearchFailure(status, "unknown_error", str(error))
    cause = error.get("caused_by")
    reasons = [str(error.get("reason"))]
    if isinstance(cause, dict) and cause.get("reason"):
        reasons.append(str(cause["reason"]))
    return OpenSearchFailure(status, str(error.get("type")), ": ".join(dict.fromkeys(reasons)))
