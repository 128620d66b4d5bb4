"""What AWS's refusals mean for whoever deploys, and what helps: one table.

The words on the left are the services' own error codes. A code that is not here is passed on as it is.
"""

from __future__ import annotations

from typing import Final

__all__ = ["ABSENT", "HINTS", "hint_for", "is_absent"]

_DENIED: Final = "These credentials may not do that: truckstream policies prints what the commands need."
_EXPIRED: Final = "The credentials have expired: log in again (such as aws sso login)."
_UNKNOWN: Final = "AWS does not know these credentials: check AWS_PROFILE, and that the region's partition is theirs."
_REGION: Final = "That lies in another region: pass --region, or set AWS_REGION."
_ABSENT: Final = "Is that the right name, account and region? truckstream status says what is deployed."
_LIMIT: Final = "A limit of this account and region is reached: free something, or ask for more in Service Quotas."
_TAKEN: Final = "The name is taken: choose another, or deploy onto what is there (see Existing parts in the README)."
_LATER: Final = "AWS is busy with it or asks to go slower: try again in a minute."

#: Codes that say that something is not there.
ABSENT: Final = frozenset(
    {
        *(
            "ResourceNotFoundException",
            "NoSuchBucket",
            "NoSuchKey",
            "NoSuchEntity",
            "404",
            "NotFound",
            "NotFoundException",
        ),
        *("ChangeSetNotFound", "StackNotFound", "NoSuchBucketPolicy", "ServerSideEncryptionConfigurationNotFoundError"),
        *("NoSuchPublicAccessBlockConfiguration", "NoSuchLifecycleConfiguration", "OwnershipControlsNotFoundError"),
    }
)

HINTS: Final = {
    "AccessDenied": _DENIED,
    "AccessDeniedException": _DENIED,
    "AuthorizationError": _DENIED,
    "UnauthorizedOperation": _DENIED,
    "403": _DENIED,
    "Forbidden": _DENIED,
    "InsufficientCapabilitiesException": _DENIED,
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "RequestExpired": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "AuthFailure": _UNKNOWN,
    "InvalidAccessKeyId": _UNKNOWN,
    "InvalidClientTokenId": _UNKNOWN,
    "SignatureDoesNotMatch": _UNKNOWN,
    "UnrecognizedClientException": _UNKNOWN,
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "PermanentRedirect": _REGION,
    "301": _REGION,
    "OptInRequired": "This region is not enabled for the account: enable it, or choose another with --region.",
    "AlreadyExistsException": _TAKEN,
    "BucketAlreadyExists": "Bucket names are shared by all accounts: choose another with --bucket.",
    "BucketAlreadyOwnedByYou": _TAKEN,
    "EntityAlreadyExists": _TAKEN,
    "ResourceConflictException": _TAKEN,
    "ResourceInUseException": _LATER,
    "LimitExceeded": _LIMIT,
    "LimitExceededException": _LIMIT,
    "ServiceQuotaExceededException": _LIMIT,
    "TooManyBuckets": _LIMIT,
    "OperationInProgressException": _LATER,
    "SlowDown": _LATER,
    "Throttling": _LATER,
    "ThrottlingException": _LATER,
    "TooManyRequestsException": _LATER,
} | dict.fromkeys(ABSENT, _ABSENT)


def hint_for(code: str, message: str = "") -> str:
    """What helps against this refusal; empty if nothing is known."""
    if "UnreservedConcurrentExecution" in message:
        return "The account has too little concurrency to reserve any: deploy with --parameter ReservedConcurrency=-1."
    if code == "ValidationError" and "does not exist" in message:
        return _ABSENT
    return HINTS.get(code, "")


def is_absent(code: str, message: str) -> bool:
    """True if this refusal says that something is not there."""
    return code in ABSENT or (code == "ValidationError" and "does not exist" in message)
