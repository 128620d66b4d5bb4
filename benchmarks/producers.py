"""What does a record cost in the client, and how many go through, compared with every other Python way to PutRecords?

Each contestant runs in a process and an environment of its own, one after the other. uv makes the environment and keeps
it, with the versions that the contestant's file pins. They send to one bare endpoint in another process, which responds
at the least cost, checks nothing and has no quota: records of 498 bytes with 100 keys, full batches of 500, up to 10
requests in flight. Shown are the client's CPU time a record (user and system time of its process), the records a
CPU-second that follow from it, the records a second of wall-clock time, and the peak memory of the process. This is
measured with and without TLS (the client verifies a certificate of a CA made for the run), and with a response after 0
or 20 ms. Ratios compare records a CPU-second of the same run, without TLS and at 0 ms. There the contestants take
turns, `--rounds` times each, and the run with the least CPU time counts, because other processes can only add to it.

A second table shows truckstream at its default options (with pacing), by the number of shards; and the cost of a stream
of ten records a second, and of none. With one shard a request has 100 records, a tenth of a second's quota. So the base
of the ratios is one shard without pacing, whose requests are full.

Bias: boto3, aiobotocore and aioboto3 receive finished batches and do nothing about failures, where a Producer takes
records one by one (`put_many`: the same batches), buffers and routes them, and acknowledges each. The endpoint runs on
the same machine, which affects the wall-clock figures.

    uv run python benchmarks/producers.py [--quick] [--seconds 2] [--rounds 7] [--only truckstream,…] [--by-shards]
        [--json FILE] [--html FILE]
"""

import math
import sys
import tempfile
from pathlib import Path

import support.prerequisites
import trustme
from support.bare_server import bare_server
from support.command_line import make_parser, publish, selected
from support.cost_charts import cpu_bars

sys.path.insert(0, str(Path(__file__).parent / "peers"))
from by_shards import measure_by_shards
from contestants import CONTESTANTS, run
from harness import Job

#: Ours, the rival, and the floor and the aim of the ratio of their records a CPU-second, without TLS and at 0 ms.
GOALS = [
    ("truckstream put_many", "aiobotocore", 3.8, 5.4),
    ("truckstream plain", "aiobotocore", 3.8, 5.4),
    ("truckstream plain", "async-kinesis", 30, 55),
    ("truckstream aggregated", "aiokpl aggregated", 10, 30),
]


def make_certificate(folder):
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate.private_key_pem.write_to_path(folder / "server.key")
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(folder / "server.pem", append=True)


def measure(contestants, conditions, seconds, rounds, folder):
    """Yield a row for each contestant under each condition."""
    ca_file = str(folder / "ca.pem")
    for latency, tls in conditions:
        turns = 1 if latency or tls else rounds
        print(f"\n{latency * 1000:.0f} ms, {'TLS' if tls else 'no TLS'}")
        print(f"{'':24}{'CPU µs/record':>14}{'records/CPU-s':>15}{'records/s':>12}{'peak MiB':>10}", flush=True)
        certificate = (1, folder / "server.pem", folder / "server.key") if tls else ()
        with bare_server("bare_kinesis", latency, *certificate) as port:
            url = f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"
            runs = {contestant: [] for contestant in contestants}
            for _ in range(turns):
                for contestant, done in runs.items():
                    done.append(run(contestant, Job(endpoint_url=url, seconds=seconds, form=contestant.form), ca_file))
            for contestant, done in runs.items():
                figures = min(done, key=lambda run: run.get("cpu_us_per_record", math.inf))
                print_figures(contestant.name, figures)
                yield {"contestant": contestant.name, "latency": latency, "tls": tls, **figures}


def print_figures(name, figures):
    if "error" in figures:
        print(f"{name:24}{figures['error']}", flush=True)
        return
    cpu, rate, peak = (figures[key] for key in ("cpu_us_per_record", "records_per_second", "peak_mib"))
    print(f"{name:24}{cpu:14.2f}{1e6 / cpu:15,.0f}{rate:12,.0f}{peak:10.0f}", flush=True)


def print_ratios(rows):
    """Print the ratios of records a CPU-second without TLS and latency, with the floor and the aim."""
    cpu = {
        row["contestant"]: row["cpu_us_per_record"]
        for row in rows
        if not row["tls"] and not row["latency"] and "error" not in row
    }
    print(f"\n{'records a CPU-second':44}{'ratio':>8}{'floor':>8}{'aim':>6}")
    for ours, theirs, floor, aim in GOALS:
        if ours in cpu and theirs in cpu:
            print(f"{f'{ours} / {theirs}':44}{cpu[theirs] / cpu[ours]:8.1f}{floor:8}{aim:6}")


def charts(rows):
    conditions = dict.fromkeys((row["latency"], row["tls"]) for row in rows)
    return [
        cpu_bars(
            f"CPU time a record: {latency * 1000:.0f} ms, {'TLS' if tls else 'no TLS'}",
            [row for row in rows if (row["latency"], row["tls"]) == (latency, tls)],
            "contestant",
            half=len(conditions) > 1,
            caption="Of the contestant's process. The endpoint responds after so many milliseconds.",
        )
        for latency, tls in conditions
    ]


def main(options):
    contestants = [] if options.by_shards else selected(CONTESTANTS, options)
    if any(contestant.is_rival for contestant in contestants):
        support.prerequisites.find_uv()  # exits now, and not after half of the runs, if it is missing
    conditions = [(0.0, False)] if options.quick else [(0.0, False), (0.02, False), (0.0, True), (0.02, True)]
    seconds = options.seconds or (1.0 if options.quick else 2.0)
    rounds = options.rounds or (1 if options.quick else 7)
    rows = []
    if contestants:
        with tempfile.TemporaryDirectory() as name:
            make_certificate(Path(name))
            rows = list(measure(contestants, conditions, seconds, rounds, Path(name)))
        print_ratios(rows)
    by_shards = measure_by_shards(seconds, min(rounds, 3))
    versions = {name: found for row in rows for name, found in row.get("versions", {}).items()}
    publish(options, charts=charts(rows), packages=versions, rows=rows, by_shards=by_shards)
    return 1 if any("error" in row for row in rows) else 0


if __name__ == "__main__":
    parser = make_parser(__doc__, only="contestants")
    parser.add_argument("--quick", action="store_true", help="take under a minute: no TLS, no latency")
    parser.add_argument("--by-shards", action="store_true", help="measure the second table alone")
    parser.add_argument("--seconds", type=float, help="how long each run sends (default: 2, or 1 with --quick)")
    parser.add_argument("--rounds", type=int, help="runs without TLS and latency (default: 7, or 1 with --quick)")
    sys.exit(main(parser.parse_args()))
