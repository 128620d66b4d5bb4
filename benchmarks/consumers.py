"""What does a record cost a consumer, how fast do workers share shards anew, and how much of the quota is read?

readers: each reader reads the same filled stream from a local Kinesis in another process, without quotas, in a process
and an environment of its own: records of 498 bytes with 100 keys in 16 shards, pages of 1,000 records as a full shard
gives them. Shown are the reader's CPU time a record after the first tenth of the records, the records a second of
wall-clock time, and the peak memory of the process. The readers take turns, `--rounds` times each, and the run with the
least CPU time counts, because other processes can only add to it. The KCL is run once.

rebalance: eight workers in processes of their own share 32 shards through ministack's DynamoDB. The eighth joins, then
one is killed. Counted in between: what the workers ask of DynamoDB while nothing changes. Then two workers share eight
shards that get records all the time: with checkpoints that are written with the renewals, and with one that is awaited
after each batch.

quota: one consumer reads one shard and four shards whose quotas are enforced, by polling and by fan-out.

Bias: aiobotocore's loop and the client alone do less than a consumer: they keep no leases and no checkpoints, and know
nothing of aggregates or of quotas. truckstream and the KCL keep to the quota of 2 MiB a second a shard, which bounds
their records a second; the others read as fast as they can. The endpoint runs on the same machine.

    uv run python benchmarks/consumers.py [--only readers,…] [--readers WORD,…] [--seconds 5] [--json FILE]
        [--html FILE]
"""

import asyncio
import math
import os
import sys
from collections import ChainMap
from pathlib import Path
from typing import NamedTuple

import support.prerequisites
from support.command_line import make_parser, publish, selected
from support.cost_charts import cpu_bars
from support.filled_stream import fill
from support.ministack import CannotRunError, running_ministack

from truckstream.charts import Axis, bars
from truckstream.local import LocalKinesis

sys.path.insert(0, str(Path(__file__).parent / "readers"))
sys.path.insert(0, str(Path(__file__).parent / "workers"))
import group
import shard_quota
from contestants import GOALS, READERS_COMPARED
from harness import Job

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
SHARDS = 16
#: What a full shard holds for each second of reading: 2 MiB of records of 498 bytes and keys of 9.
RECORDS_PER_SECOND = 4_136
RECORD_BYTES = 498
#: The bytes that a truckstream consumer reads ahead. They may be there before the clock starts.
READ_AHEAD = 64 * 1024 * 1024
#: Records of a page; readers that count one by one report as many at a time.
PAGE = 1_000
WORKERS, WORKER_SHARDS, LEASE_SECONDS = 8, 32, 10.0
#: The most that may be in hand-over at a time: a twentieth of the leases, and one at least.
MOST_MOVING = max(1, WORKER_SHARDS // 20)


class Section(NamedTuple):
    name: str
    run: object


def row(name, *figures, width=11):
    """Print one row of a table. A figure is a number or a text."""
    texts = (f"{each:,.2f}" if isinstance(each, float) else f"{each}" for each in figures)
    print(f"{name:32}" + "".join(f"{text:>{width}}" for text in texts), flush=True)


# --- What a record costs ----------------------------------------------------------------------------


async def measure_readers(options):
    """Return a row for each reader."""
    readers = [each for each in READERS_COMPARED if any(word in each.name for word in options.readers)]
    records = round(options.seconds * RECORDS_PER_SECOND) // PAGE * PAGE
    async with LocalKinesis(shards=SHARDS, quotas=False, max_bytes=None, own_process=True) as kinesis:
        await fill(kinesis, records)
        job = {
            "endpoint_url": kinesis.endpoint_url,
            "stream": kinesis.stream_name,
            "shards": SHARDS,
            "records": records * SHARDS,
        }
        runs = {reader: [] for reader in readers}
        for turn in range(options.rounds):
            for reader, done in runs.items():
                if not turn or reader.script != "with_kcl":
                    done.append(await asyncio.to_thread(reader.run, Job(**job, form=reader.form)))
    print()
    row("", "CPU µs", "records/", "records/s", "peak MiB", "floor", "aim")
    row("", "a record", "CPU-s")
    rows = []
    for reader, done in runs.items():
        best = min(done, key=lambda run: run.get("cpu_us_per_record", math.inf))
        print_reader(reader, best)
        rows.append({"reader": reader.name, **best})
    print_ratios(rows)
    if job["records"] * RECORD_BYTES < 2 * READ_AHEAD:
        print("\nThe stream fits into what a consumer reads ahead, so that its figures are too low: use --seconds 5.")
    return rows


def print_reader(reader, figures):
    if "error" in figures:
        print(f"{reader.name:32}{figures['error']}", flush=True)
        return
    cpu, rate, peak = (figures[key] for key in ("cpu_us_per_record", "records_per_second", "peak_mib"))
    row(reader.name, cpu, f"{1e6 / cpu:,.0f}", f"{rate:,.0f}", f"{peak:.0f}", reader.floor or "", reader.aim or "")


def print_ratios(rows):
    """Print the ratios of records a CPU-second, with their floors."""
    cpu = {row["reader"]: row["cpu_us_per_record"] for row in rows if "error" not in row}
    print(f"\n{'records a CPU-second':58}{'ratio':>8}{'floor':>8}")
    for ours, theirs, floor in GOALS:
        if ours in cpu and theirs in cpu:
            print(f"{f'{ours} / {theirs}':58}{cpu[theirs] / cpu[ours]:8.1f}{floor:8}")


# --- Sharing shards anew ----------------------------------------------------------------------------


async def measure_group(options):
    """Return the figures of a group of workers; None if ministack cannot be run."""
    try:
        with running_ministack() as url:
            figures = await group.measure(
                url,
                workers=WORKERS,
                shards=WORKER_SHARDS,
                lease_duration=LEASE_SECONDS,
                seconds=max(30.0, options.seconds),
            )
            figures["with_traffic"] = [
                await group.measure_traffic(
                    url, saves_each_batch=each, lease_duration=LEASE_SECONDS, seconds=max(30.0, options.seconds)
                )
                for each in (False, True)
            ]
    except CannotRunError as error:
        print(f"\nrebalance and DynamoDB: skipped: {error}")
        return None
    limit = 1.5 * LEASE_SECONDS
    print(f"\n{WORKERS} workers, {WORKER_SHARDS} shards, leases of {LEASE_SECONDS:g} s")
    row("", "measured", "at most")
    row("killed: all shards read, s", figures["taken_over_after_kill_seconds"], limit)
    row("joined: its first shard, s", figures["first_shard_after_join_seconds"])
    row("joined: balanced after that, s", figures["balanced_after_join_seconds"], limit)
    row("joined: leases moving at a time", figures["most_leases_moving"], MOST_MOVING)
    print_calls("DynamoDB, without records", figures)
    for found in figures["with_traffic"]:
        print_calls(f"with, checkpoints {'awaited' if found['saves_each_batch'] else 'automatic'}", found)
    return figures


def print_calls(name, figures):
    print(f"\n{name}, a minute and shard")
    for kind in ("batches", "writes", "reads", "read_units"):
        row(kind.replace("_", " "), figures[f"{kind}_per_minute_and_shard"])


# --- The read quota ---------------------------------------------------------------------------------


async def measure_quota(options):
    """Return a row for each number of shards and each way to read."""
    print()
    row("", "shards", "MiB/s/shard", "of quota", "least shard", "throttled", "rec./batch", "CPU µs", width=12)
    rows = []
    for fan_out in (False, True):
        for shards in (1, 4):
            found = await shard_quota.measure(shards, options.seconds, fan_out=fan_out)
            row(
                "fan-out" if fan_out else "polling",
                shards,
                found["mib_per_second_and_shard"],
                f"{found['quota_share']:.1%}",
                f"{found['least_full_shard']:.1%}",
                found["throttled"],
                f"{found['records_per_batch']:.0f}",
                found["cpu_us_per_record"],
                width=12,
            )
            rows.append(found)
    return rows


SECTIONS = [Section("readers", measure_readers), Section("rebalance", measure_group), Section("quota", measure_quota)]


def charts(readers=(), quota=(), rebalance=None):  # noqa: ARG001 - few figures without a common unit make no chart
    drawn = []
    if readers:
        drawn.append(cpu_bars("CPU time of reading a record", readers, "reader", caption="Of the reader's processes."))
    if quota:
        named = [
            row | {"read by": f"{'fan-out' if row['fan_out'] else 'polling'}, {row['shards']} shards"} for row in quota
        ]
        of_quota = Axis("quota_share", "of the quota of 2 MiB/s a shard", ".1%")
        drawn.append(bars("How much of the read quota one consumer reads", named, name="read by", value=of_quota))
    return drawn


def main(options):
    support.prerequisites.find_uv()  # exits now, and not after half of the runs, if it is missing
    os.environ.update(CREDENTIALS)
    found = {section.name: asyncio.run(section.run(options)) for section in selected(SECTIONS, options)}
    versions = [each.get("versions", {}) for each in found.get("readers", ())]
    publish(options, charts=charts(**found), packages=dict(ChainMap(*versions)), **found)


if __name__ == "__main__":
    parser = make_parser(__doc__, only="sections")
    parser.add_argument(
        "--readers",
        type=lambda text: text.split(","),
        default=[""],
        metavar="WORD,…",
        help="run only the readers whose names contain one of these words",
    )
    parser.add_argument("--seconds", type=float, default=5.0, help="seconds of a full shard to read (default: 5)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each reader, of which the best counts")
    sys.exit(main(parser.parse_args()))
