"""The aggregates of a window: count, sum, mean, min, max, percentiles, and counts by value."""

from truckstream.windows.aggregates.aggregate import Accumulator, Field, WindowAggregate
from truckstream.windows.aggregates.counts import Count, CountBy
from truckstream.windows.aggregates.numbers import Max, Mean, Min, Sum
from truckstream.windows.aggregates.percentiles import Percentiles

__all__ = ["Accumulator", "Count", "CountBy", "Field", "Max", "Mean", "Min", "Percentiles", "Sum", "WindowAggregate"]
