"""What to do about an error of the object store: one table from error codes to an action and a hint.

The codes are those of S3 and, with the prefix "KMS.", those of the key service that S3 passes on. A response without a
known code is judged by its status, a request without a response by the reason that obstore's client gives.

"Retried" means that the same request may succeed a moment later, so the batcher repeats it within the call. Every
other request fails at once: Lambda delivers its records again, and the time is better spent on the other groups.

https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (2026-11)
"""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["CLIENT_ERRORS", "CODES", "NO_CREDENTIALS", "OTHER", "STATUSES", "ClientError", "ErrorRule"]


class ErrorRule(NamedTuple):
    """Whether the request is repeated within the call, and what a person can do about the error."""

    retried: bool
    hint: str = ""


_LATER: Final = ErrorRule(retried=True)
_SLOWER: Final = ErrorRule(
    retried=True, hint="If this lasts, lower max_in_flight or store larger groups: fewer requests a second."
)
_KMS_SLOWER: Final = ErrorRule(
    retried=True, hint="If this lasts, let the bucket use a bucket key, or request a higher quota of KMS."
)
_DENIED: Final = ErrorRule(
    retried=False,
    hint="Allow the role s3:PutObject and s3:GetObject below both prefixes, and check the policies of the bucket, of "
    "the VPC endpoint and of the organization.",
)
_KEY_DENIED: Final = ErrorRule(
    retried=False,
    hint="Allow the role kms:GenerateDataKey and kms:Decrypt with this key, in the role's and in the key's policy.",
)
_KEY_UNUSABLE: Final = ErrorRule(
    retried=False,
    hint="Enable the key or cancel its deletion, or set kms_key_id or the bucket's default encryption to another key.",
)
_EXPIRED: Final = ErrorRule(
    retried=False, hint="The session has ended: log in again, or pass credentials that renew themselves."
)
_UNKNOWN_CREDENTIALS: Final = ErrorRule(
    retried=False, hint="Check the access key, the secret key and the session token: they must be of one session."
)
_REGION: Final = ErrorRule(
    retried=False,
    hint="Set region_name to the bucket's region, which aws s3api head-bucket prints. A Lambda function and its "
    "bucket must be in one region.",
)
_NO_BUCKET: Final = ErrorRule(retried=False, hint="Create the bucket, or correct its name in the store's URL.")
_UNCONDITIONAL: Final = ErrorRule(
    retried=False, hint="The store must support conditional writes (If-None-Match: *). Update it, or use another."
)
_NOT_S3: Final = ErrorRule(retried=False, hint="Check that endpoint_url is the endpoint of an S3 API.")

#: By the code in an error response.
CODES: Final[dict[str, ErrorRule]] = {
    "InternalError": _LATER,
    "ServiceUnavailable": _LATER,
    "RequestTimeout": _LATER,
    "PriorRequestNotComplete": _LATER,
    # The body was damaged or cut on its way: S3 stored nothing.
    "IncompleteBody": _LATER,
    "BadDigest": _LATER,
    "XAmzContentChecksumMismatch": _LATER,
    "XAmzContentSHA256Mismatch": _LATER,
    # The names of a new bucket have not reached all name servers yet.
    "TemporaryRedirect": _LATER,
    "Redirect": _LATER,
    # Another request for the key was under way, and this one stored nothing.
    "ConditionalRequestConflict": _LATER,
    "OperationAborted": _LATER,
    "SlowDown": _SLOWER,
    "Throttling": _SLOWER,
    "ThrottlingException": _SLOWER,
    "ThrottledException": _SLOWER,
    "RequestThrottled": _SLOWER,
    "RequestThrottledException": _SLOWER,
    "RequestLimitExceeded": _SLOWER,
    "BandwidthLimitExceeded": _SLOWER,
    "TooManyRequestsException": _SLOWER,
    "KMS.ThrottlingException": _KMS_SLOWER,
    "KMS.LimitExceededException": _KMS_SLOWER,
    "KMS.DependencyTimeoutException": _LATER,
    "KMS.KMSInternalException": _LATER,
    "KMS.KeyUnavailableException": _LATER,
    "KMS.DisabledException": _KEY_UNUSABLE,
    "KMS.KMSInvalidStateException": _KEY_UNUSABLE,
    "KMS.NotFoundException": _KEY_UNUSABLE,
    "KMS.InvalidKeyUsageException": _KEY_UNUSABLE,
    "KMS.AccessDeniedException": _KEY_DENIED,
    "KMS.UnrecognizedClientException": _KEY_DENIED,
    "AccessDenied": _DENIED,
    "AllAccessDisabled": _DENIED,
    "ExpiredToken": _EXPIRED,
    "RequestExpired": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "InvalidAccessKeyId": _UNKNOWN_CREDENTIALS,
    "InvalidToken": _UNKNOWN_CREDENTIALS,
    "SignatureDoesNotMatch": _UNKNOWN_CREDENTIALS,
    "RequestTimeTooSkewed": ErrorRule(retried=False, hint="This machine's clock is wrong: set it."),
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "PermanentRedirect": _REGION,
    "NoSuchBucket": _NO_BUCKET,
    "InvalidBucketName": _NO_BUCKET,
    "NoSuchKey": ErrorRule(retried=False, hint="The object was deleted in the meantime: nothing must delete objects."),
    "NotImplemented": _UNCONDITIONAL,
}

#: By the status of a response without a known code. A response to HEAD has no body, and so no code.
STATUSES: Final[dict[int, ErrorRule]] = {
    307: _LATER,
    400: ErrorRule(
        retried=False, hint="The usual causes are credentials that have expired and a bucket in another region."
    ),
    401: _UNKNOWN_CREDENTIALS,
    403: ErrorRule(
        retried=False,
        hint="Allow the role s3:GetObject below both prefixes. Without s3:ListBucket, S3 denies the lookup of an "
        "object that does not exist.",
    ),
    404: _NO_BUCKET,
    405: _NOT_S3,
    408: _LATER,
    409: _LATER,
    429: _SLOWER,
    501: _UNCONDITIONAL,
    509: _SLOWER,
}

#: For every other failure without a response, and for other stores. (Their requests are made once in any case.)
OTHER: Final = _LATER

#: For a request that obstore sends to the metadata service of the machine, because it found no credentials.
NO_CREDENTIALS: Final = ErrorRule(
    retried=True,
    hint="Log in (aws configure, aws sso login), set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
    "run with a role.",
)

_NETWORK: Final = ErrorRule(
    retried=True, hint="Check the network, the security groups and, in a VPC, the gateway endpoint of S3."
)


class ClientError(NamedTuple):
    """A kind of failure without a response, recognised by what obstore's dump contains."""

    #: A regular expression with one group.
    pattern: str
    code: str
    #: The message; {} stands for the group.
    message: str
    rule: ErrorRule


#: The first that matches counts.
CLIENT_ERRORS: Final = (
    ClientError(
        # obstore drops the response. Of S3's redirects, only the permanent one names no location.
        r"(Received redirect without LOCATION)",
        "PermanentRedirect",
        "the bucket must be addressed in another way",
        _REGION,
    ),
    ClientError(
        r"InvalidCertificate\(\s*(\w+)",
        "InvalidCertificate",
        "TLS failed with {}",
        ErrorRule(
            retried=False,
            hint="Check the certificate's names and dates. If its issuer is your own, or a proxy that opens TLS, pass "
            'the issuer as store_options={"client_options": {"root_certificate": …}}.',
        ),
    ),
    ClientError(
        r"(?:InvalidMessage|AlertReceived|PeerIncompatible|PeerMisbehaved)\(\s*(\w+)",
        "TlsError",
        "TLS failed with {}",
        ErrorRule(
            retried=False, hint="Check that the endpoint speaks TLS. If it does not, pass endpoint_url with http://."
        ),
    ),
    ClientError(
        r"kind: Builder,\s*source: (\w+)",
        "InvalidEndpoint",
        "the request cannot be made: {}",
        ErrorRule(retried=False, hint="Pass the endpoint as endpoint_url, with https:// or http://."),
    ),
    ClientError(
        r"\"dns error\"(?s:.*)error: \"([^\"]*)",
        "DnsError",
        "{}",
        ErrorRule(
            retried=True,
            hint="Check endpoint_url, region_name and the bucket's name, and in a VPC its DNS settings.",
        ),
    ),
    ClientError(r" in (\S+) - (?s:.*)kind: Timeout", "Timeout", "no response within {}", _NETWORK),
    ClientError(r"message: \"([^\"]*)", "ConnectionError", "{}", _NETWORK),
    ClientError(r"HTTP error: (.*)", "ConnectionError", "{}", _NETWORK),
)
