"""The topic of the function, through boto3, against moto; and the handler of the template with alerts."""

import json

import boto3
import pytest

from lambda_entry import handler
from tests.alerts.support import START, alert, record
from tests.batcher.support import record as event_record
from tests.commands.support import AWS
from tests.moto_server import running_moto
from truckstream.alerts.function.lambda_topic import LambdaTopic
from truckstream.errors import AlertTargetError


@pytest.fixture(scope="module")
def url():
    with running_moto() as found:
        yield found


@pytest.fixture
def queue(url, monkeypatch):
    """A queue that receives the messages of a topic, as (ARN of the topic, function that returns the events)."""
    for name, value in {**AWS, "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": url}.items():
        monkeypatch.setenv(name, value)
    session = boto3.Session(region_name="us-east-1")
    sns, sqs = session.client("sns"), session.client("sqs")
    topic = sns.create_topic(Name="alerts")["TopicArn"]
    queue_url = sqs.create_queue(QueueName="alerts")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def received():
        messages = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages", ())
        for message in messages:
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(json.loads(message["Body"])["Message"]) for message in messages]

    return topic, received


async def test_events_are_messages(queue):
    topic, received = queue
    assert await LambdaTopic(topic).send([alert(1), alert(2)]) == []
    assert sorted(each["id"] for each in received()) == [alert(1).id, alert(2).id]


async def test_a_topic_that_does_not_exist_is_a_failure(queue):
    topic, _ = queue
    with pytest.raises(AlertTargetError) as failure:
        await LambdaTopic(f"{topic}-missing").send([alert(1)])
    assert failure.value.retryable


def test_the_handler_stores_the_records_and_sends_the_alerts(queue, tmp_path, monkeypatch):
    topic, received = queue
    monkeypatch.setenv("STORE_URL", tmp_path.as_uri())
    monkeypatch.setenv("ALERT_RULES", "default")
    monkeypatch.setenv("ALERT_TOPIC", topic)
    try:
        for start, health in ((0, "URGENT"), (10, "URGENT"), (20, "NORMAL"), (90, "NORMAL")):
            records = [
                event_record(
                    record("A", start + more, health_status=health), start + more, arrival=START + start + more
                )
                for more in range(5)
            ]
            assert handler.lambda_handler({"Records": records}, None) == {"batchItemFailures": []}
    finally:
        handler.lambda_handler.close()
    assert sorted((each["rule"], each["state"]) for each in received()) == [
        ("urgent-health", "begun"),
        ("urgent-health", "ended"),
    ]
    stored = sum(path.read_bytes().count(b"\n") for path in (tmp_path / "sensor_data").rglob("*.json"))
    assert stored == 20
    assert (tmp_path / "alerts").is_dir()


def test_rules_that_do_not_work_in_the_function_end_its_first_call(tmp_path, monkeypatch):
    (tmp_path / "quiet_rules.py").write_text("RULES = '[rules.quiet]\\nkind = \"silence\"'\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("STORE_URL", tmp_path.as_uri())
    monkeypatch.setenv("ALERT_RULES", "quiet_rules:RULES")
    with pytest.raises(Exception, match="cannot find silence"):
        handler.lambda_handler({"Records": []}, None)
    handler.lambda_handler.close()
