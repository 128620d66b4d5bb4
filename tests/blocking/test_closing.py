"""The end of a blocking producer: by `close`, by Ctrl-C, and by the end of the program."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.blocking.support import HeldClient
from tests.producer.shell import KEY
from truckstream.blocking import Producer
from truckstream.errors import DeliveryUnknownError, ProducerClosedError, TruckstreamError

ROOT = Path(__file__).parents[2]
COST = 500 + 1 + len(KEY)


def outcomes(deliveries):
    return {type(each.exception(30)) for each in deliveries}


def fill(producer):
    """Put records until the buffer and the way to it are full."""
    deliveries = []
    try:
        while True:
            deliveries.append(producer.put(b"x", KEY, timeout=0.2))
    except TruckstreamError:
        return deliveries


def test_close_gives_up_after_its_timeout():
    client = HeldClient()
    producer = Producer(client, buffer_bytes=16 * COST, linger=0.0)
    producer.open()
    deliveries = fill(producer)
    raised = []

    def put():
        try:
            producer.put(b"waits for room", KEY)
        except ProducerClosedError as error:
            raised.append(error)

    putter = threading.Thread(target=put)
    putter.start()
    stats = producer.close(timeout=0.05)
    putter.join()
    assert (stats.buffered, stats.in_flight) == (0, 0)
    assert all(each.done() for each in deliveries)
    assert outcomes(deliveries) == {DeliveryUnknownError, ProducerClosedError}
    assert len(raised) == 1
    assert client.service.stored == []


def test_a_second_close_ends_the_first():
    client = HeldClient()
    producer = Producer(client, linger=0.0)
    producer.open()
    delivery = producer.put(b"x", KEY)
    first = threading.Thread(target=producer.close)
    first.start()
    producer.close(timeout=0)
    first.join()
    assert isinstance(delivery.exception(), TruckstreamError)
    assert producer.close().buffered == 0


@pytest.mark.parametrize("wait", ["result", "flush", "close", "put"])
def test_ctrl_c_ends_every_wait(wait):
    """Afterwards the producer works, or is closed."""
    client = HeldClient()
    producer = Producer(client, buffer_bytes=16 * COST, linger=0.0)
    producer.open()
    deliveries = fill(producer) if wait == "put" else [producer.put(b"x", KEY)]
    waits = {
        "result": deliveries[0].result,
        "flush": producer.flush,
        "close": producer.close,
        "put": lambda: producer.put(b"x", KEY),
    }

    def press_ctrl_c():
        pressed.wait()
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    pressed = threading.Event()
    presser = threading.Thread(target=press_ctrl_c)
    presser.start()
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - wherever it strikes
        pressed.set()
        waits[wait]()
    presser.join()
    if wait == "close":
        producer.close(timeout=0)  # it may have struck before the call
        assert outcomes(deliveries) <= {DeliveryUnknownError, ProducerClosedError}
    else:
        client.held = False
        assert all(each.result(30) for each in deliveries)
        producer.close()
        assert len(client.service.stored) == len(deliveries)
    assert "truckstream producer" not in {each.name for each in threading.enumerate()}


FORKS = """
import os
from tests.blocking.support import HeldClient
from tests.producer.shell import KEY
from truckstream.blocking import Producer
from truckstream.errors import DeliveryUnknownError, ProducerClosedError

def expect(error, text, use):
    try:
        use()
    except error as raised:
        assert text in str(raised), raised
    else:
        raise AssertionError("nothing was raised")

def in_child(producer, stored, pending):
    expect(ProducerClosedError, "this process was forked", lambda: producer.put(b"child", KEY))
    expect(ProducerClosedError, "this process was forked", producer.flush)
    assert stored.result().attempts == 1
    assert pending.done()
    expect(DeliveryUnknownError, "its producer is in the parent", pending.result)
    producer.close()
    assert producer.stats.put >= 1
    with Producer(HeldClient(held=False)) as new:
        assert new.put(b"new", KEY).result(30)

client = HeldClient(held=False)
with Producer(client, linger=0.0) as producer:
    stored = producer.put(b"before", KEY)
    stored.result()
    client.held = True
    pending = producer.put(b"pending", KEY)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            in_child(producer, stored, pending)
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    client.held = False
    assert pending.result(30)
    assert producer.put(b"after", KEY).result(30)
assert client.service.stored == [b"before", b"pending", b"after"]
print("both are well")
"""

#: The module-level producer of a script, which nobody closes.
UNCLOSED = """
import asyncio, sys
from tests.blocking.support import HeldClient
from tests.producer.shell import KEY
from truckstream.blocking import Producer

class Reporting(HeldClient):
    async def put_records(self, records):
        await asyncio.to_thread(int)  # as a new connection looks a host name up
        return await super().put_records(records)

    async def close(self):
        print(len(self.service.stored), "stored", flush=True)

producer = Producer(Reporting(held=False), linger=50.0, delivery_timeout=60.0)
producer.open()
producer.put_many((b"x", KEY) for _ in range(1_000))
del producer
{end}
"""


def run(program, *options):
    return subprocess.run(
        [sys.executable, *options, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_forked_process_raises_and_does_the_parent_no_harm():
    done = run(FORKS, "-W", "error", "-W", "ignore::DeprecationWarning")
    assert (done.returncode, done.stdout, done.stderr) == (0, "both are well\n", "")


@pytest.mark.parametrize(
    ("end", "status"), [("", 0), ("sys.exit(3)", 3), ("1 / 0", 1), ("raise KeyboardInterrupt", -signal.SIGINT)]
)
def test_a_producer_that_nobody_closes_is_closed_when_the_program_ends(end, status):
    done = run(UNCLOSED.format(end=end), "-W", "always::ResourceWarning")
    assert (done.returncode, done.stdout) == (status, "1000 stored\n")
    assert "was never closed" in done.stderr


def test_records_that_are_lost_at_the_end_of_the_program_are_logged():
    refuse = "producer._aio._client.script = [request_error('AccessDeniedException')] * 9\nproducer.open()"
    program = UNCLOSED.format(end="").replace("import KEY", "import KEY, request_error")
    program = program.replace("producer.open()", refuse)
    done = run(program)
    assert done.returncode == 0
    assert "records were lost, because the producer was not closed: 1,000 records were not delivered" in done.stderr
