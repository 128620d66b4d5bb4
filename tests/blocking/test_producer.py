"""The blocking producer: what it does for the thread that calls it."""

import threading
import traceback

import pytest

from tests.blocking.support import HeldClient
from tests.producer.shell import KEY, request_error
from truckstream.blocking import Producer
from truckstream.errors import (
    BufferFullError,
    DeliveryErrorGroup,
    InvalidArgumentError,
    ProducerClosedError,
    RecordTooLargeError,
    ServiceError,
    StreamNotFoundError,
    WrongEventLoopError,
)
from truckstream.kinesis.failures import FailureKind

COST = 500 + 1 + len(KEY)


def threads():
    return [each.name for each in threading.enumerate() if each.name == "truckstream producer"]


def test_a_record_is_delivered():
    client = HeldClient(shards=2, held=False)
    with Producer(client, linger=0.0) as producer:
        delivery = producer.put(b"data", KEY)
        ack = delivery.result(timeout=30)
        assert (ack.sequence_number, ack.attempts, delivery.done(), delivery.running()) == ("1", 1, True, False)
        assert (delivery.exception(), delivery.cancel(), delivery.cancelled()) == (None, False, False)
        assert (delivery.data, delivery.partition_key, delivery.explicit_hash_key) == (b"data", KEY, None)
        assert producer.put(b"x", KEY, "0").result(30).shard_id == "shardId-000000000000"
        assert producer.put(b"x", KEY, explicit_hash_key=str(2**128 - 1)).result(30).shard_id == "shardId-000000000001"
        assert producer.shard_of(KEY) == ack.shard_id
        assert (producer.stats.put, producer.stats.acked, producer.last_failure) == (3, 3, None)
        assert repr(producer).startswith("<blocking.Producer open: ")
    assert threads() == []
    assert client.closed
    assert delivery.result() == ack
    assert repr(producer).startswith("<blocking.Producer closed: ")


def test_leaving_the_context_delivers_everything():
    client = HeldClient(held=False)
    with Producer(client, linger=50.0) as producer:
        deliveries = producer.put_many((b"%d" % number, KEY) for number in range(3_000))
    assert client.service.stored == [b"%d" % number for number in range(3_000)]
    assert all(each.done() and each.result() for each in deliveries)


def test_objects_are_serialized_where_they_are_put():
    client = HeldClient(held=False)
    with Producer(client, serializer="json", key="id") as producer:
        producer.put({"id": "A"})
        producer.put_many([{"id": "B"}, {"id": "C"}])
        producer.put({"id": "D"}, "another key")
        with pytest.raises(InvalidArgumentError, match="the serializer raised TypeError") as caught:
            producer.put({"id": object()}, KEY)
        with pytest.raises(InvalidArgumentError, match="must have the field 'id'"):
            producer.put({})
    assert client.service.stored == [b'{"id":"A"}', b'{"id":"B"}', b'{"id":"C"}', b'{"id":"D"}']
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert names[:2] == ["test_objects_are_serialized_where_they_are_put", "put"]
    with Producer(client) as producer:
        producer.put("text", KEY)
    assert client.service.stored[-1] == b"text"


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((7, KEY), "data is 7: must be bytes or text"),
        ((b"x", ""), "partition_key is ''"),
        ((b"x", 7), "partition_key is 7: must be a str"),
        ((b"x",), "pass it, or make the producer with key="),
        ((b"x", KEY, "-1"), "explicit_hash_key is '-1'"),
    ],
)
def test_an_argument_that_breaks_a_rule_raises_at_once(arguments, match):
    with Producer(HeldClient(held=False)) as producer:
        with pytest.raises(InvalidArgumentError, match=match):
            producer.put(*arguments)
        with pytest.raises(InvalidArgumentError, match="records is 7: must be an iterable"):
            producer.put_many(7)
        with pytest.raises(InvalidArgumentError, match="timeout is -1"):
            producer.close(timeout=-1)
        assert producer.stats.put == 0


def test_options_are_checked_when_it_is_made():
    with pytest.raises(InvalidArgumentError, match="linger is -1"):
        Producer("s", linger=-1)
    with pytest.raises(InvalidArgumentError, match="serializer is 7"):
        Producer("s", serializer=7)


@pytest.mark.parametrize(
    ("options", "size"), [({}, 2**20), ({"max_batch_bytes": 1_000}, 2_000), ({"buffer_bytes": 4_000}, 4_000)]
)
def test_a_record_that_is_too_large_raises_at_once(options, size):
    client = HeldClient(held=False)
    with Producer(client, **options) as producer:
        with pytest.raises(RecordTooLargeError) as caught:
            producer.put(bytes(size), KEY)
        assert caught.value.size == size + len(KEY)
        largest = caught.value.limit - len(KEY)
        assert producer.put(bytes(largest), KEY).result(30)


def test_without_room_a_put_waits_or_raises():
    """The records on the way to the producer's thread are bounded as well."""
    client = HeldClient()
    with Producer(client, buffer_bytes=16 * COST, linger=0.0) as producer:
        deliveries = []
        with pytest.raises(BufferFullError):  # noqa: PT012
            while len(deliveries) < 100:
                deliveries.append(producer.put(b"x", KEY, timeout=0.2))
        assert 16 <= len(deliveries) <= 16 + 2 * 3
        putter = threading.Thread(target=lambda: deliveries.append(producer.put(b"last", KEY)))
        putter.start()
        client.held = False
        putter.join()
        assert deliveries[-1].result(30)
    assert len(client.service.stored) == len(deliveries)


def test_a_wait_may_end_before_the_outcome():
    client = HeldClient()
    with Producer(client, linger=0.0) as producer:
        delivery = producer.put(b"x", KEY)
        for wait in (delivery.result, delivery.exception, producer.flush):
            with pytest.raises(TimeoutError):
                wait(timeout=0.01)
        assert not delivery.done()
        client.held = False
        assert delivery.result(30)
        producer.flush()


def test_a_failure_that_nobody_waited_for_is_raised_by_flush_and_at_the_end():
    client = HeldClient(held=False)
    client.script = [request_error("AccessDeniedException", FailureKind.PERMANENT)] * 3
    lost = pytest.raises(DeliveryErrorGroup, match="1 records were not delivered")
    with lost, Producer(client, linger=0.0) as producer:
        delivery = producer.put(b"x", KEY)
        with pytest.raises(ServiceError, match="AccessDeniedException"):
            delivery.result(30)
        assert delivery.exception().code == "AccessDeniedException"
        producer.flush()  # which does not raise it again
        producer.put(b"x", KEY)
        with pytest.raises(DeliveryErrorGroup) as caught:
            producer.flush()
        assert caught.value.total == 1
        producer.put(b"x", KEY)
    assert threads() == []


def test_an_error_of_the_body_gets_the_failures_as_a_note():
    client = HeldClient(held=False)
    client.script = [request_error("AccessDeniedException", FailureKind.PERMANENT)]
    with pytest.raises(ZeroDivisionError) as caught, Producer(client) as producer:  # noqa: PT012
        producer.put(b"x", KEY)
        raise ZeroDivisionError
    assert "1 records were not delivered" in str(caught.value.__notes__)


def test_callbacks_are_called_in_the_producers_thread():
    client = HeldClient()
    called = []
    failed = []

    def callback(delivery):
        called.append((delivery, threading.current_thread().name))
        for wait in (delivery.result, producer.flush, producer.close):
            try:
                wait()
            except WrongEventLoopError:
                failed.append(wait.__name__)
        if len(called) == 1:
            producer.put(b"by the callback", KEY)

    with Producer(client, linger=0.0) as producer:
        delivery = producer.put(b"x", KEY)
        delivery.add_done_callback(callback)
        delivery.add_done_callback(lambda _: 1 / 0)  # which is logged
        client.held = False
        producer.flush()
    assert client.service.stored == [b"x", b"by the callback"]
    assert called == [(delivery, "truckstream producer")]
    assert failed == ["flush", "close"]  # the result is there, and needs no wait
    delivery.add_done_callback(callback)
    assert called[-1] == (delivery, threading.current_thread().name)


def test_it_must_be_open():
    producer = Producer(HeldClient(held=False))
    for use in (lambda: producer.put(b"x", KEY), producer.flush):
        with pytest.raises(ProducerClosedError, match=r"is not open: use it as `with Producer\(\.\.\.\)"):
            use()
    assert producer.stats.put == 0
    producer.close()
    for use in (lambda: producer.put(b"x", KEY), producer.flush):
        with pytest.raises(ProducerClosedError, match="closed"):
            use()
    with pytest.raises(ProducerClosedError, match="opened only once"):
        producer.open()
    assert threads() == []


def test_an_error_of_opening_is_raised_and_leaves_no_thread():
    client = HeldClient()
    client.listed = request_error("ResourceNotFoundException")
    producer = Producer(client)
    with pytest.raises(StreamNotFoundError, match="ResourceNotFoundException"):
        producer.open()
    assert threads() == []
    assert client.closed
    assert producer.close().put == 0
