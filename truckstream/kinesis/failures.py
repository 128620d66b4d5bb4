"""What a failed attempt means: the service's error code -> a kind of failure, in one table.

A kind answers the two questions that matter for the records of the attempt: may they be stored all the same,
and what helps? Only a sender that knows can retry without lying about duplicates. An error that the table does
not name is judged by its HTTP status: a 5xx may have stored the records, anything else is permanent.
"""

from __future__ import annotations

import enum
from typing import Final

from truckstream.errors import ServiceError, StreamNotFoundError

__all__ = ["FailureKind", "RequestFailedError", "kind_of_error"]


class FailureKind(enum.Enum):
    """What happened to a request, by what its sender should do next."""

    #: Over a quota. Nothing was stored; slow down, then send again.
    THROTTLED = "throttled"
    #: The answer never came, or a 5xx did: the records may be stored. Send again, and say so.
    AMBIGUOUS = "ambiguous"
    #: It did not reach the service. Nothing was stored; send again.
    NOT_SENT = "not sent"
    #: The credentials have expired. Nothing was stored; new ones help.
    CREDENTIALS = "credentials"
    #: The clock or the signature's age was refused. Nothing was stored; a fresh signature helps.
    CLOCK_SKEW = "clock skew"
    #: One of the records is malformed or too large: the whole request was refused. Without it the rest pass.
    POISONED = "poisoned"
    #: The stream is not there, or may not be written. Nothing was stored, and a retry does not help.
    PERMANENT = "permanent"


_KINDS: Final = {
    "ProvisionedThroughputExceededException": FailureKind.THROTTLED,
    "LimitExceededException": FailureKind.THROTTLED,
    "KMSThrottlingException": FailureKind.THROTTLED,
    "ThrottlingException": FailureKind.THROTTLED,
    "Throttling": FailureKind.THROTTLED,
    "RequestLimitExceeded": FailureKind.THROTTLED,
    "InternalFailure": FailureKind.AMBIGUOUS,
    "InternalFailureException": FailureKind.AMBIGUOUS,
    "ServiceUnavailable": FailureKind.AMBIGUOUS,
    "ServiceUnavailableException": FailureKind.AMBIGUOUS,
    "ExpiredToken": FailureKind.CREDENTIALS,
    "ExpiredTokenException": FailureKind.CREDENTIALS,
    "RequestExpired": FailureKind.CLOCK_SKEW,
    "RequestTimeTooSkewed": FailureKind.CLOCK_SKEW,
    "ValidationException": FailureKind.POISONED,
    "InvalidArgumentException": FailureKind.POISONED,
    "SerializationException": FailureKind.POISONED,
    "RequestEntityTooLarge": FailureKind.POISONED,
    # An answer without a code, from a proxy or a load balancer: its HTTP status.
    "408": FailureKind.AMBIGUOUS,
    "413": FailureKind.POISONED,
    "429": FailureKind.THROTTLED,
}


def kind_of_error(code: str, message: str, status: int) -> FailureKind:
    """The kind of failure that the service's error `code`, with its `message` and HTTP `status`, stands for."""
    if code == "InvalidSignatureException" and ("Signature expired" in message or "not yet current" in message):
        return FailureKind.CLOCK_SKEW  # the same code stands for a wrong key, where a retry does not help
    unknown = FailureKind.AMBIGUOUS if status >= 500 else FailureKind.PERMANENT  # noqa: PLR2004 - HTTP's server errors
    return _KINDS.get(code, unknown)


class RequestFailedError(Exception):
    """One attempt failed as a whole. Internal to the sender: users see what becomes of their records."""

    def __init__(self, kind: FailureKind, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.kind = kind
        self.code = code
        self.message = message

    def to_service_error(self) -> ServiceError:
        """The public error for a failure that ends a record."""
        if self.code == "ResourceNotFoundException":
            return StreamNotFoundError(self.code, self.message)
        return ServiceError(self.code, self.message)
