"""The second table of producers.py: what a record costs truckstream at its default options, by the number of shards."""

import math

from contestants import Contestant, run
from harness import Job
from support.bare_server import bare_server

#: Numbers of keys, and of shards. The ratio is to one shard with as many keys, without pacing. With 1,000,000 keys each
#: record has a new one, because the producer remembers some 20,000.
STREAMS = {100: (1, 8, 64), 10_000: (64, 512, 10_000), 1_000_000: (512, 10_000)}
#: For a stream of few records.
FEW_RECORDS, FEW_SECONDS = 100, 10
FEW_SHARDS = (1, 10_000)


def measure_by_shards(seconds, rounds):
    """Print the tables, and return their rows."""
    print("\nAt default options, by shards: the best of the runs")
    print(f"{'keys':>10}{'shards':>15}{'CPU µs/record':>15}{'records/s':>12}{'ratio':>8}", flush=True)
    rows = []
    for keys, shard_counts in STREAMS.items():
        rows.append(_measure("plain", 1, keys, seconds, rounds))
        base = rows[-1]["cpu_us_per_record"]
        _print(rows[-1], "1, no pacing", base)
        for shards in shard_counts:
            rows.append(_measure("defaults", shards, keys, seconds, 1 if shards == 1 else rounds))
            _print(rows[-1], f"{shards:,}", base)
    print("\nTen records a second, and none but with an observer, at default options: CPU ms in a second")
    for form in ("few", "idle"):
        for shards in FEW_SHARDS:
            row = _measure(form, shards, 100, FEW_SECONDS, 1, records=FEW_RECORDS)
            print(f"{form:>8}{shards:>11,} shards{row['cpu_us_per_record'] / 1e3 * FEW_RECORDS / FEW_SECONDS:10.2f}")
            rows.append(row)
    return rows


def _print(row, name, base):
    cpu, rate = row["cpu_us_per_record"], row["records_per_second"]
    print(f"{row['keys']:10,}{name:>15}{cpu:15.2f}{rate:12,.0f}{cpu / base:8.2f}", flush=True)


def _measure(form, shards, keys, seconds, rounds, records=0):
    contestant = Contestant("with_truckstream", form)
    with bare_server("bare_kinesis", 0.0, shards) as port:
        url = f"http://127.0.0.1:{port}"
        job = Job(endpoint_url=url, seconds=seconds, form=form, keys=keys, records=records)
        done = [run(contestant, job) for _ in range(rounds)]
    best = min(done, key=lambda figures: figures.get("cpu_us_per_record", math.inf))
    if "error" in best:
        raise SystemExit(f"{contestant.name}, {shards:,} shards: {best['error']}")
    return {"form": form, "shards": shards, "keys": keys, **best}
