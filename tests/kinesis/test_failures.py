"""The kinds of failure, and the errors that users get for them."""

import pytest
from botocore.retries import standard

from truckstream.errors import ServiceError, StreamNotFoundError
from truckstream.kinesis.failures import FailureKind, RequestFailedError, kind_of_error, service_error


@pytest.mark.parametrize(
    ("code", "message", "status", "kind"),
    [
        ("ProvisionedThroughputExceededException", "", 400, FailureKind.THROTTLED),
        ("InternalFailure", "", 500, FailureKind.AMBIGUOUS),
        ("SomethingNew", "", 400, FailureKind.PERMANENT),
        ("ExpiredTokenException", "", 400, FailureKind.CREDENTIALS),
        ("ValidationException", "", 400, FailureKind.POISONED),
        ("TooManyRequestsException", "", 429, FailureKind.THROTTLED),
        ("ThrottledException", "", 400, FailureKind.THROTTLED),
        ("RequestTimeoutException", "", 408, FailureKind.AMBIGUOUS),
        ("RequestTimeout", "", 400, FailureKind.AMBIGUOUS),
        ("ExpiredIteratorException", "", 400, FailureKind.EXPIRED),
        ("ExpiredNextTokenException", "", 400, FailureKind.EXPIRED),
        ("KMSThrottlingException", "", 400, FailureKind.THROTTLED),
        ("KMSDisabledException", "", 400, FailureKind.PERMANENT),
    ],
)
def test_the_kind_of_an_error(code, message, status, kind):
    assert kind_of_error(code, message, status) is kind


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, FailureKind.PERMANENT),
        (408, FailureKind.AMBIGUOUS),
        (413, FailureKind.POISONED),
        (429, FailureKind.THROTTLED),
        (499, FailureKind.PERMANENT),
        (500, FailureKind.AMBIGUOUS),
        (503, FailureKind.AMBIGUOUS),
        (509, FailureKind.THROTTLED),
        (599, FailureKind.AMBIGUOUS),
    ],
)
def test_an_error_with_an_unknown_code_is_classified_by_its_status(status, kind):
    """Every server error may have stored the records, from 500 on: taken for permanent, it would lose them."""
    assert kind_of_error("SomethingNew", "", status) is kind


def test_a_known_code_counts_more_than_the_status():
    assert kind_of_error("ThrottlingException", "", 500) is FailureKind.THROTTLED


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        ("InvalidSignatureException", "Signature expired: 20250115T…", FailureKind.CLOCK_SKEW),
        ("InvalidSignatureException", "Signature not yet current: 20250115T…", FailureKind.CLOCK_SKEW),
        ("InvalidSignatureException", "The request signature we calculated …", FailureKind.PERMANENT),
        ("AccessDeniedException", "Signature expired: 20250115T…", FailureKind.PERMANENT),
    ],
)
def test_a_rejected_signature_is_retried_only_if_its_time_was_the_reason(code, message, kind):
    """With a wrong secret key every retry fails too, and the user should know at once."""
    assert kind_of_error(code, message, 400) is kind


def test_what_botocore_retries_is_not_permanent():
    """A code or status that botocore learns fails this test until the table has it."""
    for code in standard.ThrottledRetryableChecker._THROTTLED_ERROR_CODES:
        assert kind_of_error(code, "", 400) is FailureKind.THROTTLED, code
    for code in standard.TransientRetryableChecker._TRANSIENT_ERROR_CODES:
        assert kind_of_error(code, "", 400) is not FailureKind.PERMANENT, code
    for status in standard.TransientRetryableChecker._TRANSIENT_STATUS_CODES:
        assert kind_of_error(str(status), "", status) is FailureKind.AMBIGUOUS, status


@pytest.mark.parametrize("kind", FailureKind)
def test_the_error_that_a_user_gets_shows_whether_a_retry_can_help(kind):
    error = RequestFailedError(kind, "SomethingNew", "the details").to_service_error()
    assert (error.code, error.message) == ("SomethingNew", "the details")
    assert error.retryable is (kind not in {FailureKind.POISONED, FailureKind.PERMANENT})


@pytest.mark.parametrize(
    ("kind", "code", "remedy"),
    [
        (FailureKind.PERMANENT, "ResourceNotFoundException", "`truckstream streams` lists the streams"),
        (FailureKind.PERMANENT, "AccessDeniedException", "`truckstream policies` prints one"),
        (FailureKind.PERMANENT, "NoCredentialsError", "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID"),
        (FailureKind.PERMANENT, "InvalidSignatureException", "Check the access key"),
        (FailureKind.PERMANENT, "UnrecognizedClientException", "Check the access key"),
        (FailureKind.CREDENTIALS, "ExpiredTokenException", "Renew the credentials"),
        (FailureKind.NOT_SENT, "ConnectionRefusedError", "Check endpoint_url="),
    ],
)
def test_the_error_that_a_user_gets_says_what_to_do(kind, code, remedy):
    error = RequestFailedError(kind, code, "the service's text.").to_service_error()
    assert str(error) == f"{code}: the service's text. {error.hint}"
    assert remedy in error.hint
    assert error.message == "the service's text."


def test_an_error_without_a_known_remedy_has_the_services_text_only():
    error = RequestFailedError(FailureKind.AMBIGUOUS, "InternalFailure", "try later.").to_service_error()
    assert (str(error), error.hint) == ("InternalFailure: try later.", "")


def test_only_a_missing_stream_has_an_error_of_its_own():
    assert type(service_error("ResourceNotFoundException", "no such stream")) is StreamNotFoundError
    assert type(service_error("AccessDeniedException", "not allowed")) is ServiceError
