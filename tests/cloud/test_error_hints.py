"""The table of hints: which errors of AWS get advice, and what each piece of advice asks for."""

import pytest

from truckstream.cloud.error_hints import ABSENT, HINTS, hint_for, hint_for_failure, hint_for_reasons


@pytest.mark.parametrize("code", sorted(HINTS))
def test_every_hint_is_a_sentence(code):
    assert hint_for(code).endswith((".", "?"))
    assert (code in ABSENT) == hint_for(code).startswith("Check the name, ")


def test_an_unknown_error_has_no_hint():
    assert hint_for("TeapotException") == hint_for_failure("TeapotError", "us-east-1") == hint_for_reasons("tea") == ""


def test_a_failed_connection_asks_the_user_to_check_network_and_region():
    assert hint_for_failure("EndpointConnectionError", "eu-west-9").endswith("whether eu-west-9 is the right region.")


@pytest.mark.parametrize(
    ("reasons", "words"),
    [
        ("Bucket (AWS::S3::Bucket): acme-truck-data already exists", "choose another with --stream, --bucket"),
        ("Stream: User: arn:… is not authorized to perform: kinesis:CreateStream", "truckstream policies prints"),
        ("Stream: LimitExceededException: 10 in 24 h; Topic already exists", "Service Quotas"),
        ("Function: decreases account's UnreservedConcurrentExecution below its minimum", "ReservedConcurrency=-1"),
    ],
)
def test_the_first_of_cloudformations_reasons_selects_the_hint(reasons, words):
    assert words in hint_for_reasons(reasons)
