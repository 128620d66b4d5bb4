"""What AWS's refusals mean for whoever deploys, and what helps: one table.

The words on the left are the services' own error codes. A code that is not here is passed on as it is.
"""

from __future__ import annotations

from typing import Final

__all__ = ["ABSENT", "HINTS", "hint_for", "hint_for_failure", "hint_for_reasons", "is_absent"]

_DENIED: Final = "These credentials may not do that: truckstream policies prints what the commands need."
_EXPIRED: Final = "The credentials have expired: log in again (such as aws sso login)."
_UNKNOWN: Final = "AWS does not know these credentials: check AWS_PROFILE, and that the region's partition is theirs."
_REGION: Final = "That lies in another region: pass --region, or set AWS_REGION."
_ABSENT: Final = "Is that the right name, account and region? truckstream status says what is deployed."
_LIMIT: Final = "A limit of this account and region is reached: free something, or ask for more in Service Quotas."
_TAKEN: Final = (
    "The name is taken: choose another with --stream, --bucket or --stack, or deploy onto what is there with "
    "--parameter CreateStream=false or ExistingBucketName=NAME."
)
_NO_CONCURRENCY: Final = (
    "The account has too little concurrency to reserve any: deploy with --parameter ReservedConcurrency=-1."
)
_NETWORK: Final = "Is there a network, and is {region} the right region?"
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
    "RequestTimeTooSkewed": "This machine's clock is wrong: set it.",
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


#: What did not even become a call, by botocore's own class of error; see `hint_for_failure` for the others.
FAILURES: Final = {
    "ConnectTimeoutError": _NETWORK,
    "ConnectionClosedError": _NETWORK,
    "EndpointConnectionError": _NETWORK,
    "HTTPClientError": _NETWORK,
    "ProxyConnectionError": _NETWORK,
    "ReadTimeoutError": _NETWORK,
    "ResponseParserError": "That was no answer of AWS: is a proxy or another endpoint in between?",
    "SSLError": "TLS failed: behind a proxy that opens it, set AWS_CA_BUNDLE to its certificate.",
    "CredentialRetrievalError": _EXPIRED,
    "LoginRefreshTokenExpired": _EXPIRED,
    "LoginTokenLoadError": _EXPIRED,
    "RefreshUnauthorizedError": _EXPIRED,
    "SSOTokenLoadError": _EXPIRED,
    "TokenRetrievalError": _EXPIRED,
    "UnauthorizedSSOTokenError": _EXPIRED,
    "PendingAuthorizationExpiredError": _EXPIRED,
}

#: Words in CloudFormation's reasons, which tell of a refusal without its code.
REASONS: Final = (
    ("UnreservedConcurrentExecution", _NO_CONCURRENCY),
    ("not authorized to perform", _DENIED),
    ("AccessDenied", _DENIED),
    ("Access Denied", _DENIED),
    ("already exists", _TAKEN),
    ("AlreadyExists", _TAKEN),
    ("LimitExceeded", _LIMIT),
    ("limit exceeded", _LIMIT),
    ("Rate exceeded", _LATER),
)


def hint_for(code: str, message: str = "") -> str:
    """What helps against this refusal; empty if nothing is known."""
    if "UnreservedConcurrentExecution" in message:
        return _NO_CONCURRENCY
    if code == "ResourceInUseException" and "already exists" in message:
        return _TAKEN
    if code == "ValidationError" and "does not exist" in message:
        return _ABSENT
    return HINTS.get(code, "")


def hint_for_failure(kind: str, region: str) -> str:
    """What helps where no answer came, by the class of botocore's error; empty if nothing is known."""
    return FAILURES.get(kind, "").format(region=region)


def hint_for_reasons(reasons: str) -> str:
    """What helps against the first thing that CloudFormation's reasons tell of; empty if nothing is known."""
    found = [(reasons.index(word), hint) for word, hint in REASONS if word in reasons]
    return min(found)[1] if found else ""


def is_absent(code: str, message: str) -> bool:
    """True if this refusal says that something is not there."""
    return code in ABSENT or (code == "ValidationError" and "does not exist" in message)
