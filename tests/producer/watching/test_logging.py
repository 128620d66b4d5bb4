"""The log messages, their logger and level; and that no library's log has a secret or a record."""

import asyncio
import base64
import contextlib
import logging

import pytest

from tests.producer.shell import KEY, Client, on_virtual_time, request_error
from truckstream.errors import DeliveryErrorGroup, TruckstreamError
from truckstream.kinesis.failures import FailureKind
from truckstream.local import Fault, LocalKinesis
from truckstream.local.faults import KINDS
from truckstream.producer import Producer

ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2VjEXAMPLETOKEN"
DATA = b"the driver's heart rate is 61"
PARTITION_KEY = "driver-of-truck"
HASH_KEY = "170141183460469231731687303715884105729"
SECRETS = [
    *(ACCESS_KEY, SECRET_KEY, TOKEN, PARTITION_KEY, HASH_KEY),
    *(DATA.decode(), base64.b64encode(DATA).decode()[:20], repr(DATA)[2:-1]),
]


@pytest.fixture
def everything(caplog):
    """All log output of all libraries, as a root logger at DEBUG would write it."""
    caplog.set_level(logging.DEBUG)
    return caplog


def leaks(caplog):
    formatter = logging.Formatter("%(levelname)s %(name)s %(message)s %(args)s")
    text = "\n".join(map(formatter.format, caplog.records))
    assert text
    return [secret for secret in SECRETS if secret in text]


def messages(caplog, name="truckstream.producer"):
    return [(record.levelname, record.getMessage()) for record in caplog.records if record.name == name]


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="plain"),
        pytest.param({"aggregate": True}, id="aggregate", marks=pytest.mark.slow),
        pytest.param({"ordered": True}, id="ordered", marks=pytest.mark.slow),
    ],
)
async def test_a_faulty_run_logs_no_record_and_no_secret(everything, monkeypatch, fake_credentials, options):
    """Every kind of fault, over HTTP, with asyncio, botocore and aiohttp as talkative as they can be."""
    del fake_credentials
    for name, value in (("ACCESS_KEY_ID", ACCESS_KEY), ("SECRET_ACCESS_KEY", SECRET_KEY), ("SESSION_TOKEN", TOKEN)):
        monkeypatch.setenv(f"AWS_{name}", value)
    seconds = {"skew": 900.0, "latency": 0.1}
    faults = [Fault(kind, count=1, seconds=seconds.get(kind, 0.0)) for kind in KINDS]
    ending_it = {"delete", "recreate"}
    async with LocalKinesis(stream="trucks", shards=2, own_process=True, check_signatures=False) as kinesis:
        producer = Producer(
            "trucks",
            region_name="us-east-1",
            endpoint_url=kinesis.endpoint_url,
            linger=0.0,
            delivery_timeout=5.0,
            request_timeout=1.0,
            **options,
        )
        with contextlib.suppress(DeliveryErrorGroup):
            async with producer:
                for fault in sorted(faults, key=lambda fault: fault.kind in ending_it):
                    await kinesis.inject(fault)
                    deliveries = [
                        await producer.put(DATA, f"{PARTITION_KEY}-{number}", explicit_hash_key=HASH_KEY)
                        for number in range(5)
                    ]
                    with contextlib.suppress(TruckstreamError):
                        for delivery in deliveries:
                            await delivery
        assert len((await kinesis.stats()).faults) > 5
    assert leaks(everything) == []
    assert [message for level, message in messages(everything) if level == "INFO"]
    assert {record.name for record in everything.records} >= {"truckstream.producer", "botocore.auth"}


@pytest.mark.parametrize("kind", list(FailureKind))
@on_virtual_time
async def test_the_services_message_is_raised_and_not_logged(everything, kind):
    """They can quote a key, a header or a record, as ValidationException and IncompleteSignature do."""
    text = f"Value '{PARTITION_KEY}' of {DATA!r}: Authorization=AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{TOKEN}"
    client = Client()
    client.script = [RequestFailed(kind, text)] * 20
    producer = Producer(client, delivery_timeout=5.0)
    await producer.open()
    delivery = await producer.put(DATA, PARTITION_KEY)
    with contextlib.suppress(TruckstreamError):
        await delivery
    await producer.close()
    assert leaks(everything) == []
    assert ("INFO", f"a request of 1 records failed: SomeException ({kind.value})") in messages(everything)
    if kind is FailureKind.PERMANENT:
        assert text in str(delivery.error)


def RequestFailed(kind, text):  # noqa: N802 - stands for the class
    failure = request_error("SomeException", kind)
    failure.message, failure.args = text, (f"SomeException: {text}",)
    return failure


@on_virtual_time
async def test_the_level_of_each_message(everything):
    client = Client()
    client.listed = request_error("AccessDeniedException")
    client.script = [request_error("ReadTimeout", FailureKind.AMBIGUOUS), TypeError("a defect"), None]
    async with Producer(client) as producer:
        await producer.put(b"x", KEY)
    assert [(level, message.split(":")[0]) for level, message in messages(everything)] == [
        ("WARNING", "AccessDeniedException"),
        ("DEBUG", "opened"),
        ("INFO", "a request of 1 records failed"),
        ("ERROR", "a request of 1 records failed unexpectedly"),
        ("INFO", "listing the shards failed"),
        ("DEBUG", "closed"),
    ]


@on_virtual_time
async def test_a_warning_when_too_many_unawaited_failures_are_kept(everything):
    client = Client()
    client.script = [request_error("AccessDeniedException")] * 2
    producer = Producer(client)
    await producer.open()
    for _ in range(2):
        await producer.put_many([(b"x", KEY)] * 300)
        await asyncio.sleep(5.0)
    await producer.close()
    warnings = [message for level, message in messages(everything) if level == "WARNING"]
    assert warnings == ["over 100 records failed and were not awaited so far: await them, or flush"]


@on_virtual_time
async def test_a_healthy_run_logs_nothing_above_debug(everything):
    async with Producer(Client()) as producer:
        await producer.put_many([(b"x", KEY)] * 1_000)
    assert {level for level, _ in messages(everything)} == {"DEBUG"}
