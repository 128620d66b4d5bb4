"""The charts that several benchmarks share: bars for what is compared, truckstream's in colour."""

from truckstream.charts import Axis, bars

CPU = Axis("cpu_us_per_record", "CPU time, µs a record", ",.2f")


def measured(rows):
    """Return the rows of the runs that did not fail."""
    return [row for row in rows if "error" not in row]


def cpu_bars(title, rows, name, **options):
    """Return a bar of the CPU time a record for each row; `name` is the field with its name."""
    return bars(title, measured(rows), name=name, value=CPU, highlight="truckstream", **options)
