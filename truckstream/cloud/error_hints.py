"""Hints for errors of AWS: one table from error codes to a remedy for the user.

The keys are the services' own error codes. An error whose code is not in the table has no hint.
"""

from __future__ import annotations

from typing import Final

__all__ = ["ABSENT", "HINTS", "hint_for", "hint_for_failure", "hint_for_reasons", "is_absent"]

_DENIED: Final = (
    "These credentials lack the permission: truckstream policies prints the policies that the commands need."
)
_EXPIRED: Final = "The credentials have expired: log in again (such as aws sso login)."
_UNKNOWN: Final = (
    "AWS does not know these credentials: check AWS_PROFILE, and that they belong to the partition of the region."
)
_REGION: Final = "The resource is in another region: pass --region, or set AWS_REGION."
_ABSENT: Final = "Check the name, the account and the region. truckstream status shows the deployed parts."
_LIMIT: Final = (
    "A limit of this account and region is reached: delete resources, or request an increase in Service Quotas."
)
_TAKEN: Final = (
    "The name is taken: choose another with --stream, --bucket or --stack, or use the existing resource with --adopt."
)
_NO_CONCURRENCY: Final = (
    "The account has too little concurrency to reserve any: deploy with --parameter ReservedConcurrency=-1."
)
_NETWORK: Final = "Check the network connection, and whether {region} is the right region."
_LATER: Final = "AWS is busy with the resource or limits the rate of calls: try again in a minute."

#: Codes of errors for resources that do not exist.
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


#: Hints for calls without a response, by the class of botocore's exception.
FAILURES: Final = {
    "ConnectTimeoutError": _NETWORK,
    "ConnectionClosedError": _NETWORK,
    "EndpointConnectionError": _NETWORK,
    "HTTPClientError": _NETWORK,
    "ProxyConnectionError": _NETWORK,
    "ReadTimeoutError": _NETWORK,
    "ResponseParserError": "The response is not from AWS: is a proxy or another endpoint in between?",
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

#: Phrases in CloudFormation's reasons, which contain no error code, and their hints.
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
    """Return the hint for an error; empty if there is none."""
    if "UnreservedConcurrentExecution" in message:
        return _NO_CONCURRENCY
    if code == "ResourceInUseException" and "already exists" in message:
        return _TAKEN
    if code == "ValidationError" and "does not exist" in message:
        return _ABSENT
    return HINTS.get(code, "")


def hint_for_failure(kind: str, region: str) -> str:
    """Return the hint for a call without a response, by the class of botocore's exception; empty if there is none."""
    return FAILURES.get(kind, "").format(region=region)


def hint_for_reasons(reasons: str) -> str:
    """Return the hint for the first known phrase in CloudFormation's reasons; empty if there is none."""
    found = [(reasons.index(word), hint) for word, hint in REASONS if word in reasons]
    return min(found)[1] if found else ""


def is_absent(code: str, message: str) -> bool:
    """Return whether the error is about a resource that does not exist."""
    return code in ABSENT or (code == "ValidationError" and "does not exist" in message)
