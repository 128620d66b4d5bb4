"""How long does `truckstream verify` take for a bucket of 10,000 objects, and how much memory?

The command runs against a bare S3 endpoint in another process, once with the contents of all objects and once with
`--quick`, which reads their metadata only. Each object has 700 records, 350 kB. Shown are the time of the command as a
whole, its CPU time, and the peak memory of its process, which must not grow with the number of objects.

Bias in our favour: there is no TLS and no distance; from another region each request takes a round trip. Bias against
us: the endpoint is a Python program on the same cores, and takes as much CPU as the command.

    uv run python benchmarks/verify.py [--objects 10000] [--records 700] [--json FILE]
"""

import json
import os
import subprocess
import sys
import time

import support.prerequisites  # noqa: F401 - reports a missing package
from support.bare_server import bare_server
from support.command_line import make_parser, publish

from truckstream.charts import Axis, bars

#: Seconds for 10,000 objects.
LIMIT = 30.0

FAKE_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}


def measure(port, *flags):
    """Run the command, and return its figures."""
    command = [sys.executable, "-m", "truckstream", "verify", "s3://trucks", "--json", *flags]
    command += ["--endpoint-url", f"http://127.0.0.1:{port}"]
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | FAKE_CREDENTIALS)
    report = json.loads(process.stdout.read())
    _, status, used = os.wait4(process.pid, 0)
    process.stdout.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    return {
        "flags": list(flags),
        "exit_status": process.returncode,
        "objects": report["objects"],
        "bytes": report["bytes"],
        "proven_links": sum(shard["proven_links"] for shard in report["shards"]),
        "seconds": round(time.monotonic() - started, 2),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 2),
        "peak_mib": round(used.ru_maxrss / 1024),
    }


def charts(rows):
    return [
        bars(
            title,
            [
                {
                    "objects": f"{row['objects']:,} objects",
                    "figure": row[column],
                    "read": "metadata only" if row["flags"] else "contents",
                }
                for row in rows
            ],
            name="objects",
            value=Axis("figure", axis, ",.1f"),
            series="read",
            caption=caption,
        )
        for title, column, axis, caption in (
            ("How long verify takes", "seconds", "seconds", f"The aim is {LIMIT:.0f} s for 10,000 objects."),
            ("Peak memory of verify", "peak_mib", "MiB", "It does not grow with the number of objects."),
        )
    ]


def main(options):
    rows = []
    print(f"{'':12}{'objects':>9}{'MB':>8}{'seconds':>9}{'objects/s':>11}{'CPU s':>8}{'peak MiB':>10}")
    for objects in (options.objects // 10, options.objects):
        with bare_server("bare_bucket", objects, options.records) as port:
            for flags in (["--quick"], []):
                row = measure(port, *flags)
                rate = row["objects"] / row["seconds"]
                figures = f"{row['objects']:9,}{row['bytes'] / 1e6:8,.0f}{row['seconds']:9.2f}{rate:11,.0f}"
                print(
                    f"{' '.join(flags) or 'contents':12}{figures}{row['cpu_seconds']:8.2f}{row['peak_mib']:10}",
                    flush=True,
                )
                rows.append(row)
    publish(options, charts=charts(rows), rows=rows)
    proven = all(row["exit_status"] == 0 and row["proven_links"] == row["objects"] - 1 for row in rows)
    return 0 if proven else 1


if __name__ == "__main__":
    parser = make_parser(__doc__)
    parser.add_argument("--objects", type=int, default=10_000, help="objects in the bucket (default: 10,000)")
    parser.add_argument("--records", type=int, default=700, help="records of each object (default: 700)")
    sys.exit(main(parser.parse_args()))
