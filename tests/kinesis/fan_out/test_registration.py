"""Registering a consumer with enhanced fan-out, or finding the one that has the name."""

import json

import pytest

from tests.kinesis.support import client_of
from tests.virtual_time import run
from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.kinesis.fan_out.registration import register_consumer
from truckstream.local import LocalKinesis

STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/trucks"
CONSUMER = f"{STREAM}/consumer/lake:1"

NONE = RequestFailedError(FailureKind.PERMANENT, "ResourceNotFoundException", "Consumer lake not found.")
IN_USE = RequestFailedError(FailureKind.THROTTLED, "ResourceInUseException", "Stream trucks is CREATING.")
THROTTLED = RequestFailedError(FailureKind.THROTTLED, "LimitExceededException", "Rate exceeded.")


def described(status):
    return {"ConsumerDescription": {"ConsumerARN": CONSUMER, "ConsumerStatus": status}}


def registered(status="CREATING"):
    return {"Consumer": {"ConsumerARN": CONSUMER, "ConsumerStatus": status}}


class Calls:
    """Responds with the steps of a script, and repeats the last one."""

    def __init__(self, *script):
        self.script = list(script)
        self.made = []

    async def call(self, operation, names, body):
        assert json.loads(body) == names == {"StreamARN": STREAM, "ConsumerName": "lake"}
        self.made.append(operation.removesuffix("StreamConsumer"))
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, Exception):
            raise step
        return json.dumps(step).encode()


@pytest.mark.parametrize(
    ("script", "made"),
    [
        ([described("ACTIVE")], ["Describe"]),
        ([NONE, registered("ACTIVE")], ["Describe", "Register"]),
        ([NONE, registered(), described("CREATING"), described("ACTIVE")], ["Describe", "Register"] + ["Describe"] * 2),
        # Another worker has registered it in the meantime.
        ([NONE, IN_USE, described("ACTIVE")], ["Describe", "Register", "Describe"]),
        # An older one of the name is being deleted.
        ([described("DELETING"), NONE, registered("ACTIVE")], ["Describe", "Describe", "Register"]),
    ],
)
def test_the_arn_is_returned_when_the_consumer_is_active(script, made):
    calls = Calls(*script)
    assert run(register_consumer(calls, STREAM, "lake")) == CONSUMER
    assert calls.made == made


@pytest.mark.parametrize(
    ("script", "code"),
    [([described("CREATING")], "CREATING"), ([NONE, IN_USE, NONE, IN_USE], "ResourceInUseException")],
)
def test_patience_ends(script, code):
    """The failure is transient: the caller may try again."""

    async def story():
        calls = Calls(*script * 500)
        with pytest.raises(RequestFailedError) as caught:
            await register_consumer(calls, STREAM, "lake")
        return caught.value, len(calls.made)

    failure, count = run(story())
    assert failure.code == code
    assert failure.to_service_error().retryable
    assert 100 < count < 300


def test_a_stream_with_too_many_consumers():
    calls = Calls(NONE, RequestFailedError(FailureKind.THROTTLED, "LimitExceededException", "It has 20 consumers."))
    with pytest.raises(RequestFailedError, match=r"It has 20 consumers\. A stream has at most 20 .*Deregister one"):
        run(register_consumer(calls, STREAM, "lake"))


@pytest.mark.parametrize("script", [[THROTTLED], [NONE, NONE]])
def test_another_error_is_raised(script):
    with pytest.raises(RequestFailedError) as caught:
        run(register_consumer(Calls(*script), STREAM, "lake"))
    assert caught.value.code == script[-1].code


@pytest.mark.usefixtures("fake_credentials")
async def test_with_the_local_kinesis():
    """The same name is found again, by the stream's name and by its ARN."""
    async with LocalKinesis(transition_seconds=0.1) as kinesis:
        arns = []
        for stream in (kinesis.stream_name, kinesis.stream_arn):
            async with client_of(kinesis.endpoint_url, stream) as client:
                arns.append(await client.register_consumer("lake"))
        with pytest.raises(RequestFailedError) as caught:
            async with client_of(kinesis.endpoint_url, "nowhere") as client:
                await client.register_consumer("lake")
    assert len(set(arns)) == 1
    assert arns[0].startswith(f"{kinesis.stream_arn}/consumer/lake:")
    assert caught.value.code == "ResourceNotFoundException"
