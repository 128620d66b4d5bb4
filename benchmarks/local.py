"""How many records a second does the local Kinesis take, compared with other people's servers?

Each server is started afresh in a process of its own. This process is the only load generator: it has four connections,
each with one PutRecords of 500 records of 498 bytes in flight, and the requests are ready as bytes before the clock
starts. Shown are the records a second of wall-clock time, the server's CPU time a record and the records a second that
a whole core would take at that cost, the growth of its resident memory a stored record, the share of rejected records,
and the generator's CPU time a record, which shows that the generator is not the bottleneck. After that, a stream of
10,000 shards is created, listed and written to.

Bias: the servers are measured on work that all of them do, storing records. Ours counts quotas in a row of its own,
over 400 shards, so that few records are rejected and the counting is measured; the others have no quotas. No server
checks the signature. The wall-clock time is that of a machine where the generator needs a core as well.

    uv run --group dev python benchmarks/local.py [--seconds 5] [--shards 10000] [--json FILE] [--html FILE]
"""

import asyncio
import base64
import contextlib
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import support.prerequisites  # noqa: F401 - reports a missing package
import uvloop
from support.command_line import make_parser, publish
from support.cost_charts import cpu_bars

from truckstream.charts import Axis, bars

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.contract import servers  # noqa: E402 - found through the path above

RECORDS = 500
RECORD_BYTES = 498
CONNECTIONS = 4
WARM_UP_SECONDS = 1.0
STREAM = "benchmark"
#: Number of request bodies, each with different keys, so that every shard receives an equal share.
BODIES = 8
CREDENTIALS = (
    "AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/kinesis/aws4_request, "
    "SignedHeaders=host;x-amz-date;x-amz-target, Signature=" + "0" * 64
)
FLOOR = 100_000


@dataclass(frozen=True)
class Case:
    title: str
    server: str
    shards: int = 4
    quotas: bool = True


CASES = (
    Case("truckstream.local", "truckstream", quotas=False),
    Case("truckstream.local, quotas, 400 shards", "truckstream", shards=400),
    Case("kinesalite", servers.KINESALITE),
    Case("kinesis-mock", servers.KINESIS_MOCK),
    Case("moto", servers.MOTO),
)


def truckstream(port, quotas):
    options = json.dumps({"port": port, "quotas": quotas})
    arguments = [sys.executable, "-m", "truckstream.local", f"--options={options}", "--while-stdin-is-open"]
    return servers.Command(arguments, ROOT, dict(os.environ))


class ServerProcess:
    """A running server: its port, and the kernel's figures of its process."""

    def __init__(self, case, port, process):
        self.case, self.port, self.process = case, port, process

    def cpu_seconds(self):
        """Return the CPU time of all its threads, and of its children that have ended."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+)", status, re.MULTILINE)[1]) * 1024


@contextlib.contextmanager
def running(case):
    port = servers.free_port()
    command = truckstream(port, case.quotas) if case.server == "truckstream" else servers.COMMANDS[case.server](port)
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command.arguments,
            cwd=command.folder,
            env=command.environment,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_until_ready(process, port)
            yield ServerProcess(case, port, process)
        except BaseException:
            log.seek(0)
            sys.stderr.write(log.read().decode(errors="replace")[-2000:])
            raise
        finally:
            process.terminate()
            process.wait(timeout=20)
            process.stdin.close()


def wait_until_ready(process, port):
    for _ in range(600):
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), servers.socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise SystemExit("the server did not start within 30 s")


def request(operation, members):
    """Return the bytes of an HTTP request."""
    body = json.dumps(members).encode()
    headers = (
        "POST / HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/x-amz-json-1.1",
        f"X-Amz-Target: Kinesis_20131202.{operation}",
        "X-Amz-Date: 20260101T000000Z",
        f"Authorization: {CREDENTIALS}",
        f"Content-Length: {len(body)}",
    )
    return ("\r\n".join(headers) + "\r\n\r\n").encode() + body


def put_request(number):
    data = base64.b64encode(b"x" * RECORD_BYTES).decode()
    records = [{"Data": data, "PartitionKey": f"TRUCK_{number}_{index:03}"} for index in range(RECORDS)]
    return request("PutRecords", {"StreamName": STREAM, "Records": records})


class LoadConnection:
    """One connection, opened again if the server closes it after a response, as moto does."""

    def __init__(self, port):
        self._port = port
        self._writer = None

    async def __call__(self, raw):
        """Send a request, and return the body of its response."""
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, limit=2**20)
        self._writer.write(raw)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        if b"transfer-encoding: chunked" in head:
            body = await self._chunks()
        else:
            body = await self._reader.readexactly(int(re.search(rb"content-length: *(\d+)", head)[1]))
        if not head.startswith(b"http/1.1 200"):
            raise SystemExit(f"{head.decode()}{body[:500].decode(errors='replace')}")
        if b"connection: close" in head:
            self.close()
        return body

    async def _chunks(self):
        parts = []
        while size := int(await self._reader.readline(), 16):
            parts.append(await self._reader.readexactly(size))
            await self._reader.readline()
        await self._reader.readline()
        return b"".join(parts)

    def close(self):
        if self._writer is not None:
            self._writer.close()
            self._writer = None


async def call(connection, operation, **members):
    body = await connection(request(operation, members))
    return json.loads(body) if body else None


async def create_stream(connection, name, shards):
    """Create a stream, wait until it is ACTIVE, and return the seconds that this took."""
    began = time.perf_counter()
    await call(connection, "CreateStream", StreamName=name, ShardCount=shards)
    for _ in range(1000):
        summary = await call(connection, "DescribeStreamSummary", StreamName=name)
        if summary["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE":
            return time.perf_counter() - began
        await asyncio.sleep(0.02)
    raise SystemExit(f"{name} is not ACTIVE after 20 s")


async def write(connection, requests, until, counts):
    """Send one request after the other until a time, and add the stored and rejected records to `counts`."""
    number = 0
    while time.perf_counter() < until:
        body = await connection(requests[number % len(requests)])
        rejected = body.count(b'"ErrorCode"') - body.count(b'"ErrorCode":null')
        counts["stored"] += RECORDS - rejected
        counts["rejected"] += rejected
        number += 1


async def load(connections, requests, seconds):
    counts = {"stored": 0, "rejected": 0}
    until = time.perf_counter() + seconds
    shares = [requests[number::CONNECTIONS] for number in range(CONNECTIONS)]
    await asyncio.gather(*map(write, connections, shares, [until] * CONNECTIONS, [counts] * CONNECTIONS))
    return counts


def own_cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def measure(server, seconds):
    """Return one row of the table."""
    connections = [LoadConnection(server.port) for _ in range(CONNECTIONS)]
    requests = [put_request(number) for number in range(BODIES)]
    await create_stream(connections[0], STREAM, server.case.shards)
    memory = -server.resident_bytes()
    warm = await load(connections, requests, WARM_UP_SECONDS)
    began, cpu, own = -time.perf_counter(), -server.cpu_seconds(), -own_cpu_seconds()
    counts = await load(connections, requests, seconds)
    wall, cpu, own = began + time.perf_counter(), cpu + server.cpu_seconds(), own + own_cpu_seconds()
    memory += server.resident_bytes()
    for connection in connections:
        connection.close()
    sent = counts["stored"] + counts["rejected"]
    return {
        "server": server.case.title,
        "shards": server.case.shards,
        "records_per_second": round(sent / wall),
        "records_per_core_second": round(sent / cpu),
        "cpu_us_per_record": round(cpu * 1e6 / sent, 2),
        "memory_bytes_per_record": round(memory / (warm["stored"] + counts["stored"])),
        "rejected_share": round(counts["rejected"] / sent, 4),
        "generator_cpu_us_per_record": round(own * 1e6 / sent, 2),
    }


async def measure_shards(server, shards):
    """Create a stream of so many shards, list it in pages, put a record to each shard, and return the figures."""
    connection = LoadConnection(server.port)
    memory = -server.resident_bytes()
    row = {"shards": shards, "create_seconds": round(await create_stream(connection, STREAM, shards), 3)}
    memory += server.resident_bytes()
    began, found, pages, page = time.perf_counter(), 0, 0, {"StreamName": STREAM}
    while page:
        listed = await call(connection, "ListShards", **page)
        found, pages = found + len(listed["Shards"]), pages + 1
        page = {"NextToken": listed["NextToken"]} if "NextToken" in listed else None
    row |= {"list_seconds": round(time.perf_counter() - began, 3), "list_pages": pages, "listed": found}
    each = 2**128 // shards
    keys = [str(number * each + each // 2) for number in range(shards)]
    requests = [
        request(
            "PutRecords",
            {
                "StreamName": STREAM,
                "Records": [
                    {"Data": "eA==", "PartitionKey": "k", "ExplicitHashKey": key} for key in keys[at : at + RECORDS]
                ],
            },
        )
        for at in range(0, shards, RECORDS)
    ]
    began, used = time.perf_counter(), set()
    for each_request in requests:
        used |= {record["ShardId"] for record in json.loads(await connection(each_request))["Records"]}
    connection.close()
    return row | {
        "put_seconds": round(time.perf_counter() - began, 3),
        "shards_written": len(used),
        "memory_bytes_per_shard": round(memory / shards),
    }


def package_versions():
    versions = {"moto": version("moto"), "aiohttp": version("aiohttp")}
    with contextlib.suppress(servers.CannotStartError):  # then its servers are not in the table either
        lock = json.loads((servers.npm_folder() / "package-lock.json").read_text())["packages"]
        versions |= {name: lock[f"node_modules/{name}"]["version"] for name in ("kinesalite", "kinesis-local")}
        versions["node"] = subprocess.run(
            ["node", "--version"], capture_output=True, text=True, check=True
        ).stdout.strip()
    return versions


def print_row(row, ours):
    print(
        "{server:38} {records_per_second:11,} {records_per_core_second:15,} {cpu_us_per_record:13.2f}".format(**row),
        f"{row['cpu_us_per_record'] / ours['cpu_us_per_record']:8.1f}",
        "{memory_bytes_per_record:14,} {rejected_share:8.2%} {generator_cpu_us_per_record:13.2f}".format(**row),
        flush=True,
    )


def charts(rows):
    return [
        cpu_bars("CPU time a record of each server", rows, "server", caption="Of the server's process."),
        bars(
            "Memory a record of each server",
            rows,
            name="server",
            value=Axis("memory_bytes_per_record", "growth of the resident memory, bytes a stored record", ",.0f"),
            highlight="truckstream",
        ),
    ]


def main(options):
    rows = []
    print(f"{'server':38}   records/s  of a whole core  CPU µs/record  to ours  bytes a record  rejected  generator µs")
    for case in CASES:
        try:
            with running(case) as server:
                rows.append(uvloop.run(measure(server, options.seconds)))
        except servers.CannotStartError as error:
            print(f"{case.title:38} was not measured: {error}")
            continue
        print_row(rows[-1], rows[0])
    with running(Case("truckstream.local", "truckstream", quotas=False)) as server:
        shards = uvloop.run(measure_shards(server, options.shards))
    print(
        "{shards:,} shards: created in {create_seconds} s, {listed:,} listed in {list_seconds} s ({list_pages} pages), "
        "a record put to {shards_written:,} of them in {put_seconds} s; {memory_bytes_per_shard:,} bytes each".format(
            **shards
        )
    )
    print(f"floor: {FLOOR:,} records/s of one core; reached {rows[0]['records_per_core_second'] / FLOOR:.0%}")
    publish(options, charts=charts(rows), packages=package_versions(), rows=rows, shards=shards)


if __name__ == "__main__":
    parser = make_parser(__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each server (default: %(default)s)")
    parser.add_argument("--shards", type=int, default=10_000, help="shards of the large stream (default: %(default)s)")
    main(parser.parse_args())
