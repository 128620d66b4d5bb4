"""Read an exception of obstore: the store's own error code, its message, and what to do.

obstore puts the response's status and body into the text of its exception, and the details of its HTTP client into a
dump that follows (0.12). S3's body is XML, often over several lines, of which only `Code` and `Message` may be logged:
other elements repeat the session token or the signed request.

Loaded when a first request fails: a cold start has no time for it.
"""

from __future__ import annotations

import re
from html import unescape
from typing import Final, NamedTuple

from truckstream.batcher.object_store.error_table import (
    CLIENT_ERRORS,
    CODES,
    NO_CREDENTIALS,
    OTHER,
    STATUSES,
    ErrorRule,
)

__all__ = ["StoreFailure", "read_failure"]

#: The status and the body in an error of obstore, such as "… non-2xx status code: 503 Service Unavailable: <?xml …".
_RESPONSE: Final = re.compile(r"Server returned non-2xx status code: (\d{3})([^:\n]*):?(.*)", re.DOTALL)

#: The URLs of the machine's metadata service, from which obstore requests credentials.
_METADATA_SERVICE: Final = re.compile(r"Error performing \w+ (\S+/latest/(?:api/token|meta-data/iam)\S*)")

_CODE: Final = re.compile(r"<Code>([^<]+)</Code>")
_MESSAGE: Final = re.compile(r"<Message>([^<]+)</Message>")

#: The dump of the Rust error begins here. It repeats the body.
_DUMP: Final = "\n\nDebug source"

_SERVER_ERRORS: Final = range(500, 600)
_CONFLICT: Final = 409

#: The longest message in characters. S3's own are shorter; a proxy may return a whole page.
_LONGEST: Final = 500


class StoreFailure(NamedTuple):
    """Why one request to the store failed."""

    #: S3's error code, or a name for the kind of failure if there is none.
    code: str
    message: str
    rule: ErrorRule
    #: The HTTP status; None without a response.
    status: int | None = None

    @property
    def is_conflict(self) -> bool:
        """True if another request for the key was under way, so that this one stored nothing."""
        return self.status == _CONFLICT


def read_failure(error: Exception) -> StoreFailure:
    """Return why the request failed. The error may be any exception of a store."""
    text = str(error)
    if found := _METADATA_SERVICE.search(text):
        return StoreFailure("NoCredentials", f"{found[1]} returned none", NO_CREDENTIALS)
    response = _RESPONSE.search(text.partition(_DUMP)[0])
    if response is not None:
        return _read_response(int(response[1]), response[2].strip(), response[3])
    for kind in CLIENT_ERRORS:
        if found := re.search(kind.pattern, text):
            return StoreFailure(kind.code, _one_line(kind.message.format(found[1])), kind.rule)
    return StoreFailure(type(error).__name__, _one_line(text.partition("\n")[0]), OTHER)


def _read_response(status: int, phrase: str, body: str) -> StoreFailure:
    status_line = f"{status} {phrase}".strip()
    found = _CODE.search(body)
    if found is None:
        # The response to a HEAD has no body, and that of a proxy may be a page of HTML.
        return StoreFailure(status_line, _one_line(body) or "the response has no reason", _rule(status), status)
    code = _one_line(found[1])
    message = _MESSAGE.search(body)
    text = _one_line(unescape(message[1])).rstrip(".") if message else "the response has no message"
    return StoreFailure(code, f"{text} ({status_line})", _rule(status, code, text), status)


def _rule(status: int, code: str = "", message: str = "") -> ErrorRule:
    if code == "AccessDenied" and "kms:" in message:
        return CODES["KMS.AccessDeniedException"]
    rule = STATUSES.get(status, ErrorRule(retried=status in _SERVER_ERRORS))
    # The hint for a status guesses what the response does not name.
    return CODES.get(code, ErrorRule(rule.retried)) if code else rule


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_LONGEST]
