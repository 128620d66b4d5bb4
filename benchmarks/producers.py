"""What does a record cost in the client, and how many go through, beside every other Python way to PutRecords?

Each contestant runs in a process and an environment of its own (uv makes and keeps it, with the versions that its file
pins), one after the other, against one bare endpoint in another process: it answers at the least cost, checks nothing
and has no quota. 498-byte records of 100 keys, full batches of 500, up to 10 requests under way. Shown are the client's
CPU a record (its own process, user and system time), the records a CPU-second that this makes, the records a second of
wall-clock time, and the process's peak memory; with and without TLS (a certificate that a CA of our own has signed,
which the client verifies), and with an answer after 0 or after 20 ms. Ratios are those of records a CPU-second, in the
same run, without TLS and at 0 ms: there the contestants run in turns, `--rounds` times each, and each one's run with
the least CPU counts, for what other processes do to the caches only adds to it.

Bias: boto3, aiobotocore and aioboto3 get finished batches from the harness and do nothing about failures; a Producer
takes records one by one, buffers, routes and acknowledges each. The wall-clock figures have the endpoint on the same
machine.

    uv run python benchmarks/producers.py [--quick] [--seconds 3] [--rounds 3] [--only truckstream,…] [--json FILE]
"""

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path

import trustme

sys.path.insert(0, str(Path(__file__).parent / "peers"))
from contestants import CONTESTANTS, PEERS, exists, run
from harness import Job

#: What design asks for: us, the rival, the floor and the aim as ratios of records a CPU-second. Without TLS, at 0 ms.
GOALS = [
    ("truckstream plain", "aiobotocore", 3, 5),
    ("truckstream plain", "async-kinesis", 30, 55),
    ("truckstream aggregated", "aiokpl aggregated", 10, 30),
]


@contextmanager
def bare_endpoint(latency, tls, folder):
    """The endpoint's URL; its CA is in `folder`."""
    files = [str(folder / "server.pem"), str(folder / "server.key")] if tls else []
    server = subprocess.Popen(
        [sys.executable, str(PEERS / "endpoint.py"), str(latency), *files], stdout=subprocess.PIPE, text=True
    )
    try:
        port = int(server.stdout.readline())
        yield f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def make_certificate(folder):
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate.private_key_pem.write_to_path(folder / "server.key")
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(folder / "server.pem", append=True)


def measure(contestants, conditions, seconds, rounds, folder):
    """Rows: one contestant under one condition each."""
    ca_file = str(folder / "ca.pem")
    for latency, tls in conditions:
        turns = 1 if latency or tls else rounds
        print(f"\n{latency * 1000:.0f} ms, {'TLS' if tls else 'no TLS'}")
        print(f"{'':24}{'CPU µs/record':>14}{'records/CPU-s':>15}{'records/s':>12}{'peak MiB':>10}", flush=True)
        with bare_endpoint(latency, tls, folder) as url:
            runs = {contestant: [] for contestant in contestants}
            for _ in range(turns):
                for contestant, done in runs.items():
                    done.append(run(contestant, Job(endpoint_url=url, seconds=seconds, form=contestant.form), ca_file))
            for contestant, done in runs.items():
                figures = min(done, key=lambda run: run.get("cpu_us_per_record", math.inf))
                show(contestant.name, figures)
                yield {"contestant": contestant.name, "latency": latency, "tls": tls, **figures}


def show(name, figures):
    if "error" in figures:
        print(f"{name:24}{figures['error']}", flush=True)
        return
    cpu, rate, peak = (figures[key] for key in ("cpu_us_per_record", "records_per_second", "peak_mib"))
    print(f"{name:24}{cpu:14.2f}{1e6 / cpu:15,.0f}{rate:12,.0f}{peak:10.0f}", flush=True)


def goals(rows):
    """Ratios of records a CPU-second without TLS and latency, beside floor and aim."""
    cpu = {
        row["contestant"]: row["cpu_us_per_record"]
        for row in rows
        if not row["tls"] and not row["latency"] and "error" not in row
    }
    print(f"\n{'records a CPU-second':44}{'ratio':>8}{'floor':>8}{'aim':>6}")
    for ours, theirs, floor, aim in GOALS:
        if ours in cpu and theirs in cpu:
            print(f"{f'{ours} / {theirs}':44}{cpu[theirs] / cpu[ours]:8.1f}{floor:8}{aim:6}")


def main(options):
    contestants = [one for one in CONTESTANTS if exists(one) and any(only in one.name for only in options.only)]
    conditions = [(0.0, False)] if options.quick else [(0.0, False), (0.02, False), (0.0, True), (0.02, True)]
    machine = {"python": platform.python_version(), "cores": os.cpu_count(), "truckstream": version("truckstream")}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        make_certificate(folder)
        seconds = options.seconds or (1.0 if options.quick else 3.0)
        rounds = options.rounds or (1 if options.quick else 3)
        rows = list(measure(contestants, conditions, seconds, rounds, folder))
    goals(rows)
    versions = {name: found for row in rows for name, found in row.get("versions", {}).items()}
    print("\n" + ", ".join(f"{name} {value}" for name, value in {**machine, **versions}.items()))
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, "versions": versions, "rows": rows}, indent=2) + "\n")
    return 1 if any("error" in row for row in rows) else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="under a minute: no TLS, no latency")
    parser.add_argument("--seconds", type=float, help="of sending, for each run (default: 3, or 1 with --quick)")
    parser.add_argument("--rounds", type=int, help="without TLS and latency (default: 3, or 1 with --quick)")
    parser.add_argument("--only", type=lambda text: text.split(","), default=[""], help="contestants named like these")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    sys.exit(main(parser.parse_args()))
