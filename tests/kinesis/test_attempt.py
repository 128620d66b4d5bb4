"""The progress of an attempt: which records of it may be stored, and until when it can be withdrawn."""

import pytest

from truckstream.kinesis.attempt import Attempt
from truckstream.kinesis.failures import FailureKind, RequestFailedError


def attempt_after(*steps):
    attempt = Attempt()
    for step in steps:
        getattr(attempt, step)()
    return attempt


@pytest.mark.parametrize(
    ("steps", "may_have_arrived", "can_be_withdrawn"),
    [
        ((), True, False),  # its client does not report its progress
        (("prepare",), False, True),
        (("prepare", "begin"), False, False),
        (("prepare", "begin", "finish"), True, False),
        (("prepare", "begin", "finish", "prepare"), False, True),  # the service has rejected it
        (("prepare", "withdraw"), False, True),
        (("prepare", "withdraw", "prepare"), False, True),
    ],
)
def test_each_stage_answers_both_questions(steps, may_have_arrived, can_be_withdrawn):
    attempt = attempt_after(*steps)
    assert attempt.may_have_arrived is may_have_arrived
    assert attempt.withdraw() is can_be_withdrawn


def test_a_withdrawn_attempt_may_not_begin():
    attempt = attempt_after("prepare", "withdraw")
    with pytest.raises(RequestFailedError, match="Withdrawn") as caught:
        attempt.begin()
    assert str(caught.value) == "Withdrawn: the attempt ended before it was sent: it was withdrawn"
    assert caught.value.kind is FailureKind.NOT_SENT
    assert not attempt.may_have_arrived


def test_its_progress_can_be_read():
    assert attempt_after("prepare").progress == "before it was sent: it waited for credentials, a proxy or a connection"
    assert repr(attempt_after("prepare", "begin")) == "<Attempt sending>"
