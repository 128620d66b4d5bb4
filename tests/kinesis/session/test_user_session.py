"""The session that a user passes: of aiobotocore or aioboto3, and no other."""

import ast
from pathlib import Path
from types import SimpleNamespace

import boto3
import botocore.session
import pytest
from aiobotocore.session import AioSession, get_session

from truckstream import Consumer, Producer
from truckstream.alerts.delivery.sns_target import SnsTarget
from truckstream.cloud.aws_account import Account
from truckstream.consumer.tables.dynamodb_table import DynamoDbTable
from truckstream.errors import InvalidArgumentError
from truckstream.kinesis.client import KinesisClient
from truckstream.kinesis.session.described_stream import describe_stream
from truckstream.kinesis.session.user_session import aio_session
from truckstream.search import OpenSearchSink

ROOT = Path(__file__).parents[3]
TOPIC = "arn:aws:sns:us-east-1:123456789012:alerts"

#: Everything that takes a session, and hands it to a client of its own.
USES = {
    "Producer": lambda session: Producer("s", session=session),
    "Consumer": lambda session: Consumer("s", session=session),
    "KinesisClient": lambda session: KinesisClient("s", session=session),
    "DynamoDbTable": lambda session: DynamoDbTable("app", session=session),
    "SnsTarget": lambda session: SnsTarget(TOPIC, session=session),
    "Account": lambda session: Account(session=session),
    "OpenSearchSink": lambda session: OpenSearchSink("https://x.us-east-1.es.amazonaws.com", session=session),
    "describe_stream": lambda session: describe_stream(
        session=session, region_name=None, endpoint_url=None, StreamName="s"
    ).send(None),
}


def wrapped(session):
    """An object of the shape of aioboto3.Session, which need not be installed here."""
    return SimpleNamespace(_session=session, client=None, resource=None)


def test_a_session_of_aiobotocore_is_taken_as_it_is():
    session = AioSession()
    assert aio_session(session) is session
    assert aio_session(None) is None


def test_a_session_of_aioboto3_stands_for_the_one_that_it_wraps():
    session = AioSession()
    assert aio_session(wrapped(session)) is session


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize(
    ("session", "match"),
    [
        (boto3.Session(), r"must be .* aioboto3\.Session: the calls of a boto3 or botocore session would block"),
        (botocore.session.Session(), "would block the event loop"),
        ("us-east-1", r"session is 'us-east-1': must be an aiobotocore session, .* or an aioboto3\.Session"),
    ],
    ids=["boto3", "botocore", "text"],
)
def test_other_sessions_are_rejected_everywhere(use, session, match):
    with pytest.raises(InvalidArgumentError, match=match) as caught:
        use(session)
    assert (caught.value.argument, caught.value.value) == ("session", session)


@pytest.mark.parametrize("use", [use for name, use in USES.items() if name != "describe_stream"])
def test_both_sessions_are_taken_everywhere(use):
    assert use(get_session())
    assert use(wrapped(get_session()))


def test_every_argument_session_has_the_type_of_a_users_session():
    """Below `truckstream/kinesis/session` and in the commands it is the normalised one."""
    others = []
    for path in sorted((ROOT / "truckstream").rglob("*.py")):
        name = path.relative_to(ROOT / "truckstream").as_posix()
        if name.startswith(("kinesis/session/", "kinesis/http/", "commands/")):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.arg) and node.arg == "session" and node.annotation:
                annotation = ast.unparse(node.annotation)
                others += (
                    []
                    if annotation == "UserSession | None" or "Session" not in annotation
                    else [f"{name}: {annotation}"]
                )
    assert others == []
