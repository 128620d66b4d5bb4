"""From stored objects to a plot, in cells for a notebook or an editor: the engine temperatures of the hottest trucks.

uv run truckstream demo
uv run --with duckdb --with matplotlib python examples/engine_temperatures.py truckstream-data temperatures.png
"""

# %% The objects of the demo, or of any directory that a Batcher has stored to
import sys

import duckdb
import matplotlib as mpl

mpl.use("Agg")  # writes files; remove this line in a notebook
from matplotlib import pyplot as plt

store, picture = sys.argv[1:] or ("truckstream-data", "temperatures.png")
objects = f"{store}/sensor_data/**/batch_*.json"

# %% Name the columns that you need: DuckDB then reads twice as fast as when it guesses them
reports = duckdb.read_json(
    objects,
    format="newline_delimited",
    columns={"truck_id": "VARCHAR", "timestamp": "TIMESTAMP", "engine_temp": "DOUBLE"},
)

# %% The three trucks with the highest mean, and their means by second
hottest = duckdb.sql("""
    WITH hottest AS (
        SELECT truck_id FROM reports GROUP BY truck_id ORDER BY avg(engine_temp) DESC, truck_id LIMIT 3
    )
    SELECT truck_id, date_trunc('second', "timestamp") AS second, avg(engine_temp) AS celsius
    FROM reports SEMI JOIN hottest USING (truck_id)
    GROUP BY ALL ORDER BY ALL
""").fetchall()
print(f"{len(reports)} reports; the hottest trucks: {', '.join(sorted({truck for truck, _, _ in hottest}))}")

# %% One line a truck
figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
for name in sorted({truck for truck, _, _ in hottest}):
    axes.plot(
        *zip(*((second, celsius) for truck, second, celsius in hottest if truck == name), strict=True), label=name
    )
axes.set(title="Engine temperature of the hottest trucks", xlabel="time (UTC)", ylabel="°C, mean of a second")
axes.legend()
figure.savefig(picture)
print(f"The plot is {picture}.")
