"""The requests and responses of the API, as the service's own code sees them."""

from __future__ import annotations

from typing import Any

__all__ = ["Request", "Response"]

#: The JSON object of a request, with blobs as bytes.
Request = dict[str, Any]
#: The JSON object of a response, with blobs as bytes; None for an operation that returns no body.
Response = dict[str, Any] | None
