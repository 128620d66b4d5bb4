"""The SNS target against moto: its messages, and an error for each way in which a topic can be wrong."""

import json

import pytest

from tests.alerts.support import alert
from tests.commands.support import AWS
from tests.moto_server import running_moto
from truckstream.alerts.delivery import SnsTarget
from truckstream.errors import AlertTargetError, InvalidArgumentError


@pytest.fixture(scope="module")
def url():
    with running_moto() as found:
        yield found


@pytest.fixture
def aws(url, monkeypatch):
    """boto3 clients of moto, by service."""
    import boto3  # noqa: PLC0415 - half a second of CPU

    for name, value in {**AWS, "AWS_ENDPOINT_URL": url}.items():
        monkeypatch.setenv(name, value)
    return boto3.Session(region_name="us-east-1").client


def topic_with_queue(aws, name):
    """Make a topic, and a queue that receives its messages as they are."""
    is_fifo = name.endswith(".fifo")
    attributes = {"FifoTopic": "true"} if is_fifo else {}
    topic = aws("sns").create_topic(Name=name, Attributes=attributes)["TopicArn"]
    queue = aws("sqs").create_queue(QueueName=name, Attributes={"FifoQueue": "true"} if is_fifo else {})["QueueUrl"]
    arn = aws("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    aws("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return topic, queue


def received(aws, queue):
    response = aws("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10, AttributeNames=["All"])
    return [
        (json.loads(each["Body"]), each["Attributes"].get("MessageDeduplicationId"))
        for each in response.get("Messages", ())
    ]


async def test_an_event_is_a_message_of_json_with_attributes_for_filters(aws):
    topic, queue = topic_with_queue(aws, "alerts")
    async with SnsTarget(topic) as target:
        assert await target.send([alert(1), alert(1, "ended")]) == []
    messages = sorted((body for body, _ in received(aws, queue)), key=lambda each: each["Subject"])
    assert [each["Subject"] for each in messages] == ["warning: hot has begun", "warning: hot has ended"]
    assert json.loads(messages[0]["Message"]) == json.loads(alert(1).to_json())
    attributes = {name: each["Value"] for name, each in messages[1]["MessageAttributes"].items()}
    assert attributes == {"rule": "hot", "severity": "warning", "state": "ended"}


async def test_a_fifo_topic_gets_the_key_of_the_event_to_recognise_a_repetition(aws):
    topic, queue = topic_with_queue(aws, "alerts.fifo")
    async with SnsTarget(topic) as target:
        await target.send([alert(2)])
        await target.send([alert(2)])
        await target.send([alert(2, "ended")])
    found = {key for _, key in received(aws, queue)}
    assert {alert(2).key, alert(2, "ended").key} == found


@pytest.mark.usefixtures("aws")
async def test_a_topic_that_does_not_exist_is_a_failure_with_the_code_of_the_service():
    async with SnsTarget("arn:aws:sns:us-east-1:123456789012:missing") as target:
        with pytest.raises(AlertTargetError) as failure:
            await target.send([alert(1)])
    assert failure.value.code.startswith("NotFound")
    assert failure.value.retryable


@pytest.mark.usefixtures("aws")
async def test_an_endpoint_that_is_not_there_is_a_failure_that_can_pass():
    async with SnsTarget("arn:aws:sns:us-east-1:123456789012:x", endpoint_url="http://127.0.0.1:9") as target:
        with pytest.raises(AlertTargetError) as failure:
            await target.send([alert(1)])
    assert failure.value.retryable


@pytest.mark.parametrize("arn", ["", "alerts", "arn:aws:sqs:us-east-1:123456789012:q", "arn:aws:sns:us-east-1:12:x"])
def test_what_is_no_arn_of_a_topic_is_refused(arn):
    with pytest.raises(InvalidArgumentError, match="must be the ARN of a topic"):
        SnsTarget(arn)
