"""The kinds of failure of a request, and the tables from error codes and HTTP statuses to them.

A kind answers two questions about the records of the request: may they be stored nevertheless, and does a retry help?
A sender needs both answers to retry without misreporting duplicates. An error whose code is in no table is
classified by its HTTP status: 408 and 5xx may have stored the records, 413 is too large a request, 429 and 509 ask for
fewer requests, and any other status is permanent.

A request that reads has the same kinds. Nothing can be stored by it, so that an ambiguous failure is merely one without
a valid response, and a poisoned request is one that breaks a rule and fails again.
"""

from __future__ import annotations

import enum
from typing import Final

from truckstream.errors import ServiceError, StreamNotFoundError

__all__ = ["TRANSIENT", "FailureKind", "RequestFailedError", "kind_of_error", "service_error"]


class FailureKind(enum.Enum):
    """The reason for a failed request, by the action that it calls for."""

    #: A quota was exceeded. Nothing was stored; slow down, then send again.
    THROTTLED = "throttled"
    #: There was no response, or a 5xx: the records may be stored. Send again, and report possible duplicates.
    AMBIGUOUS = "ambiguous"
    #: The request did not reach the service. Nothing was stored; send again.
    NOT_SENT = "not sent"
    #: The credentials have expired. Nothing was stored; new credentials help.
    CREDENTIALS = "credentials"
    #: The signature was rejected for its time. Nothing was stored; a signature with the service's time helps.
    CLOCK_SKEW = "clock skew"
    #: A shard iterator or the token of a listing's next page is too old. A new one helps, the same one does not.
    EXPIRED = "expired"
    #: One record is malformed or too large, so the whole request was rejected. Without it the others are accepted.
    POISONED = "poisoned"
    #: The stream, shard or consumer does not exist, or may not be used, or its key cannot be. A retry does not help.
    PERMANENT = "permanent"


#: The kinds after which the same call may succeed later: an iterator or a listing is renewed first, if it has expired.
TRANSIENT: Final = frozenset(FailureKind) - {FailureKind.POISONED, FailureKind.PERMANENT}

#: Besides the codes of Kinesis these are all that botocore retries for any service (botocore/retries/standard.py),
#: because gateways and servers by other makers return them too.
_CODES: Final = {
    FailureKind.THROTTLED: (
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "KMSThrottlingException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "ResourceInUseException",  # not a quota, but the same remedy: "the resource must be in the ACTIVE state"
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    ),
    FailureKind.AMBIGUOUS: (
        "InternalFailure",
        "InternalFailureException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
    ),
    FailureKind.CREDENTIALS: ("ExpiredToken", "ExpiredTokenException"),
    FailureKind.CLOCK_SKEW: ("RequestExpired", "RequestTimeTooSkewed"),
    FailureKind.EXPIRED: ("ExpiredIteratorException", "ExpiredNextTokenException"),
    FailureKind.POISONED: (
        "InvalidArgumentException",
        "RequestEntityTooLarge",
        "SerializationException",
        "ValidationException",
    ),
}
_KIND_BY_CODE: Final = {code: kind for kind, codes in _CODES.items() for code in codes}

_KIND_BY_STATUS: Final = {
    408: FailureKind.AMBIGUOUS,
    413: FailureKind.POISONED,
    429: FailureKind.THROTTLED,
    509: FailureKind.THROTTLED,
}

#: What the user can do about a call that failed.
_CHECK_KEYS: Final = "Check the access key, the secret key and the region of the credentials."
_HINTS: Final = {
    "AccessDeniedException": "Allow the call in the policy of the role: `truckstream policies` prints one.",
    "ExpiredTokenException": "Renew the credentials, with `aws sso login` for example.",
    "InvalidSignatureException": _CHECK_KEYS,
    "NoCredentialsError": "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or pass session=.",
    "ResourceNotFoundException": "Check the name, the account and the region: `truckstream streams` lists the streams.",
    "UnrecognizedClientException": _CHECK_KEYS,
}
_UNREACHABLE: Final = "Check endpoint_url=, the region and the network."


def kind_of_error(code: str, message: str, status: int) -> FailureKind:
    """Return the kind of failure that an error of the service belongs to."""
    if code == "InvalidSignatureException" and ("Signature expired" in message or "not yet current" in message):
        return FailureKind.CLOCK_SKEW  # the same code also means a wrong key, where a retry does not help
    if kind := _KIND_BY_CODE.get(code) or _KIND_BY_STATUS.get(status):
        return kind
    return FailureKind.AMBIGUOUS if status >= 500 else FailureKind.PERMANENT  # noqa: PLR2004 - HTTP's server errors


def service_error(code: str, message: str, hint: str = "") -> ServiceError:
    """Return the public error for a code and a message of the service."""
    return (StreamNotFoundError if code == "ResourceNotFoundException" else ServiceError)(code, message, hint)


class RequestFailedError(Exception):
    """One attempt failed as a whole. Internal: users get the outcome of each record instead."""

    def __init__(self, kind: FailureKind, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.kind = kind
        self.code = code
        self.message = message

    def to_service_error(self) -> ServiceError:
        """Return the public error for a record that fails for good, or for a call that does."""
        hint = _HINTS.get(self.code) or (_UNREACHABLE if self.kind is FailureKind.NOT_SENT else "")
        error = service_error(self.code, self.message, hint)
        error.retryable = self.kind in TRANSIENT
        return error
