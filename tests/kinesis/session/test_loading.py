"""Making a client imports code and reads data files. None of that happens on the thread of the event loop."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

#: Prints the modules that were imported and the files that were opened on the thread of the loop.
PROGRAM = """
import asyncio, concurrent.futures.thread, json, sys, threading
{imports}

held = []

def note(event, arguments):
    if event in ("import", "open") and threading.current_thread() is threading.main_thread() and watching:
        held.append(str(arguments[0]))

async def main():
    global watching
    opened = {made}
    watching = True
    await opened.{open}()
    watching = False

watching = False
sys.addaudithook(note)
asyncio.run(main())
assert "aiobotocore.session" in sys.modules
print(json.dumps(held))
"""

CLIENTS = {
    "kinesis": (
        "from truckstream.kinesis.client import KinesisClient",
        "KinesisClient('s', region_name='us-east-1')",
        "open",
    ),
    "dynamodb": (
        "from truckstream.consumer.tables.dynamodb_table import DynamoDbTable",
        "DynamoDbTable('app', region_name='us-east-1')",
        "_connect",
    ),
    "sns": (
        "from truckstream.alerts.delivery.sns_target import SnsTarget",
        "SnsTarget('arn:aws:sns:us-east-1:123456789012:alerts')",
        "__aenter__",
    ),
    "account": (
        "from truckstream.cloud.aws_account import Account",
        "Account(region_name='us-east-1')",
        "__aenter__",
    ),
}


def run(program):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "COVERAGE_"))}
    environment |= {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"  # Python writes it to open files without a name
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.mark.parametrize(("imports", "made", "method"), CLIENTS.values(), ids=CLIENTS)
def test_nothing_is_loaded_on_the_loops_thread(imports, made, method):
    held = run(PROGRAM.format(imports=imports, made=made, open=method))
    assert held == []


def test_a_producer_opens_and_puts_without_loading_on_the_loops_thread():
    """Its own modules for sending are few; TLS reads the certificates, and the put signs."""
    imports = """
import os
from truckstream import Producer
from truckstream.local import BlockingKinesis

kinesis = BlockingKinesis(stream="s", tls=True).__enter__()
os.environ |= kinesis.environment() | {"NO_PROXY": "127.0.0.1"}

class Opened:
    async def open(self):
        async with Producer("s", linger=0.0) as producer:
            assert await (await producer.put(b"x", "k"))
"""
    held = run(PROGRAM.format(imports=imports, made="Opened()", open="open"))
    assert [name for name in held if "truckstream" not in name] == []
