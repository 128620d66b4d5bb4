"""The live view fits the terminal, and cuts no label."""

import io

import pytest
from rich.console import Console
from rich.live import Live

from truckstream.demo.display import DemoDisplay, DemoSnapshot
from truckstream.producer.stats import ProducerStats, ShardStats

LABELS = [
    *("put", "buffered", "in flight", "requests", "throttled", "invocations", "processed", "objects", "put to object")
]
#: The columns of the shards, and from which width on they are shown.
SHARD_LABELS = {"shard": 40, "of quota": 40, "records/s": 40, "throttled": 50, "acked": 80}


def shard_name(number):
    return f"shardId-{number:012}"


def snapshot_of(shards, *, large=False):
    factor = 1_000 if large else 1
    stats = {
        shard_name(number): ShardStats(
            buffered=400, in_flight=100, acked=123_456 * factor, throttled=7 * factor, records_per_second=1_000.0
        )
        for number in range(shards)
    }
    producer = ProducerStats(
        **dict.fromkeys(ProducerStats.__dataclass_fields__, 0)
        | {"put": 1_234_567 * factor, "buffered": 400, "shards": stats}
    )
    return DemoSnapshot(
        phase="filling",
        elapsed=12.3,
        producer=producer,
        rates={shard_name(number): 900.0 + number for number in range(shards)},
        processed=1_200_000 * factor,
        invocations=250 * factor,
        objects=1_760 * factor,
        latency=5.9,
    )


def rendered(snapshot, width, height):
    """Return the lines that a terminal of this size shows."""
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, force_terminal=True, color_system=None)
    with Live(console=console, auto_refresh=False) as live:
        live.update(DemoDisplay(snapshot), refresh=True)
        lines = out.getvalue().split("\r")[-1]
    return lines.replace("\x1b[?25l", "").splitlines()


@pytest.mark.parametrize("large", [False, True], ids=["small numbers", "large numbers"])
@pytest.mark.parametrize("shards", [1, 8, 64])
@pytest.mark.parametrize(("width", "height"), [(40, 20), (50, 20), (80, 24), (120, 40)])
def test_no_label_is_cut_at_any_size(width, height, shards, large):
    lines = rendered(snapshot_of(shards, large=large), width, height)
    text = "\n".join(lines)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    assert "…" not in text
    assert "..." not in text
    words = " ".join(text.split())
    for label in LABELS:
        assert f"{label} " in words
    head = next(line for line in lines if "shard" in line)
    assert [label for label in SHARD_LABELS if label in head] == [
        label for label, least in SHARD_LABELS.items() if width >= least
    ]


@pytest.mark.parametrize("width", range(40, 130))
def test_every_width_from_40_on_is_used_without_a_cut(width):
    lines = rendered(snapshot_of(4), width, 24)
    assert max(map(len, lines)) <= width
    assert not any("…" in line for line in lines)
    values = " ".join("\n".join(lines).split())
    assert "put 1,234,567" in values
    assert "put to object 5.9 s" in values


def test_a_low_terminal_shows_the_emptiest_shards_and_counts_the_others():
    lines = rendered(snapshot_of(64), 80, 24)
    shown = [line.split()[0] for line in lines[2:] if "█" in line]
    assert shown == [str(number) for number in range(len(shown))]
    assert f"{64 - len(shown)} fuller shards are not shown" in "\n".join(lines)
    assert len(shown) >= 12


def test_a_terminal_of_50_columns_and_20_rows_shows_eight_shards():
    lines = rendered(snapshot_of(8), 50, 20)
    assert "fuller shards" not in "\n".join(lines)
